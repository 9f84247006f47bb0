"""A first lesson: from the sample capture to a pcap of one's own, in eight steps, and the words."""

import streamlit as st

from pages.parts import frame, state

STEPS = (
    (
        "Open the sample capture",
        "pages/home.py",
        "Go to Home",
        "On Home, press *Open the sample capture*. Its flows are read at once; the sidebar shows how far the job is.",
    ),
    (
        "Was it read rightly?",
        "pages/capture.py",
        "Go to Capture",
        "Look at what was left out and why, at the load over time, and at who talks to whom.",
    ),
    (
        "Look at one conversation",
        "pages/flows.py",
        "Go to Flows",
        "Filter for the service http and select a row: each packet is shown as a symbol, such as `PA_>_Text-GET`.",
    ),
    (
        "Mine the patterns",
        "pages/patterns.py",
        "Go to Patterns",
        "Before you look: which flow would you expect before every web request? Then select the pattern that says so. "
        "Its cells are fixed, free or reused; the reused address is what ties the two flows together.",
    ),
    (
        "Mend a pattern",
        "pages/patterns.py",
        "Go to Patterns",
        "Click a fixed cell, make it free, and read what that costs in bits before you apply it. Then undo it.",
    ),
    (
        "Learn the automata",
        "pages/automata.py",
        "Go to Automata",
        "Extract the timed words and learn http/SF. Find the path of a plain GET. Under *Conversations*, find a packet "
        "that was seen twice: the automaton has no transition for it, because it is noise and not protocol.",
    ),
    (
        "Prune a rare transition",
        "pages/automata.py",
        "Go to Automata",
        "Select a transition that was taken once, prune it, and read how the conversation is explained without it.",
    ),
    (
        "Generate and compare",
        "pages/generate.py",
        "Go to Generate",
        "Generate flows, forge packets, save the pcap and open it in Wireshark. Then compare: which metrics are beyond "
        "their noise floor, and which pattern or automaton would have to change?",
    ),
)

WORDS = (
    ("flow", "packets with one flow key, both directions, until FIN/RST or a timeout"),
    ("originator, responder", "who began the flow, and the other side"),
    ("conversation", "the ordered packets of one flow: what an automaton learns from"),
    ("symbol", "packet class: TCP flags, direction, payload class"),
    ("timed word", "the symbols of one conversation with delays and payload sizes"),
    ("location, transition", "nodes and edges of a timed automaton"),
    ("noise operation", "deletion, re-emission, transposition, addition: how a word differs from a path"),
    ("alignment", "the cheapest explanation of a word: a path and noise operations, in bits"),
    ("pattern", "an ordered list of partial flows; each cell is fixed, free or reused"),
    ("window", "one place in the data where a pattern occurs"),
    ("codelength", "bits for the model and for the data given the model; the smallest sum wins"),
    ("noise floor", "the same metric for real traffic against real traffic"),
)

frame.title("A first lesson", "Eight steps on the sample capture; nothing you do here can be lost or cannot be undone.")
state.require()
left, right = st.columns([3, 2], gap="large")
with left:
    for place, (heading, page, label, text) in enumerate(STEPS, start=1):
        with st.container(border=True):
            st.markdown(f"**{place}. {heading}**")
            st.markdown(text)
            st.page_link(page, label=label, icon=":material/arrow_forward:")
with right:
    st.subheader("Words", anchor=False)
    for word, meaning in WORDS:
        st.markdown(f"**{word}**: {meaning}")
