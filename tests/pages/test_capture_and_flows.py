"""The pages of captures and flows: what was read, filters, conversations, cuts, tables of unknown layout."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.capture.reading import read_capture
from netsynth_core.flows.selecting import FlowIndex
from netsynth_core.workspace import Artefact, Recipe, Workspace, wait_job
from netsynth_core.workspace.contents import flows_of
from netsynth_core.workspace.cutting import cut_flows, format_rows
from netsynth_core.workspace.doing import do_recipe
from netsynth_core.workspace.jobs import jobs
from netsynth_core.workspace.overviews import OVERVIEW, overview_of
from tests.app_workspace import do
from tests.factories import START, office_pcap, write_pcap

Opener = Callable[..., AppTest]


def words(app: AppTest) -> str:
    """All words of a page that AppTest sees."""
    kinds = ("markdown", "caption", "text", "error", "warning", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


@pytest.fixture
def office(tmp_path: Path) -> tuple[Workspace, Artefact]:
    workspace = Workspace.create(tmp_path / "office")
    path = office_pcap(tmp_path / "office.pcap", sessions=20)
    return workspace, do(workspace, "flows", do(workspace, "capture", path=str(path)).id)


def caption(app: AppTest) -> str:
    return next(c.value for c in app.caption if " flows, " in c.value)


def test_filters_combine_say_what_is_left_and_are_cleared(
    office: tuple[Workspace, Artefact], open_page: Opener
) -> None:
    app = open_page(office[0], "flows")
    assert caption(app).startswith("40 of 40 flows")
    app.multiselect(key="f_service").set_value(["http"]).run()
    assert caption(app).startswith("20 of 40 flows")
    app.text_input(key="f_host").set_value("192.0.2.10 80").run()
    assert caption(app).startswith("3 of 40 flows")
    app.text_input(key="f_from").set_value("+1").run()
    assert caption(app).startswith("2 of 40 flows")
    assert not app.exception and not app.error
    next(b for b in app.button if b.label == "Clear 3 filters").click().run()
    assert caption(app).startswith("40 of 40 flows")
    assert app.text_input(key="f_host").value == "" and app.multiselect(key="f_service").value == []


@pytest.mark.parametrize(("key", "text"), [("f_host", "10.0.0.0/77"), ("f_host", "99999"), ("f_from", "yesterday")])
def test_a_filter_that_cannot_be_read_is_told_and_the_table_stays(
    key: str, text: str, office: tuple[Workspace, Artefact], open_page: Opener
) -> None:
    app = open_page(office[0], "flows")
    app.text_input(key="f_host").set_value("192.0.2.10 80").run()
    before = caption(app)
    assert before.startswith("3 of 40 flows")
    app.text_input(key=key).set_value(text).run()
    assert not app.exception and len(app.error) == 1
    assert ("The table keeps **192" in app.error[0].value) == (key == "f_host")
    assert caption(app) == before and app.dataframe[0].value["flow"].tolist() == ["1", "15", "29"]
    app.text_input(key=key).set_value("").run()
    assert not app.error and caption(app).startswith("40 of" if key == "f_host" else "3 of")


def chosen(app: AppTest, *rows: int) -> AppTest:
    """Flows whose number was pressed in the table."""
    app.session_state[f"_flows_chosen_{app.selectbox(key='pick_flows').value}"] = list(rows)
    return app.run()


def test_a_chosen_flow_shows_its_packets_and_its_filter(office: tuple[Workspace, Artefact], open_page: Opener) -> None:
    app = chosen(open_page(office[0], "flows"), 1)
    assert not app.exception and not app.error
    assert "**Flow 1**" in words(app)
    app.number_input(key="packet_1").set_value(4).run()
    said = words(app)
    assert "PSH ACK" in said and "GET /index.html HTTP/1.1" in said
    app.segmented_control(key="preview_1_text").set_value("hex").run()
    assert "47 45 54 20" in words(app)
    codes = [element.value for element in app.code]
    assert any(text.startswith("!icmp") and "tcp.srcport == 40000" in text for text in codes)
    assert any(text.startswith("tcp and") for text in codes)


def test_a_payload_is_shown_and_not_read_as_markup(tmp_path: Path, open_page: Opener) -> None:
    from tests.factories import http_conversation

    workspace = Workspace.create(tmp_path / "w")
    frames = http_conversation(START, "192.0.2.10", 40_000)
    evil = b"GET /<img src=x> HTTP/1.1\r\nHost: **b**[a](x)"
    frames = [(ts, frame.replace(b"GET /index.html HTTP/1.1\r\nHost: made.exampl", evil[:45])) for ts, frame in frames]
    path = write_pcap(tmp_path / "evil.pcap", frames)
    do(workspace, "flows", do(workspace, "capture", path=str(path)).id)
    app = chosen(open_page(workspace, "flows"), 0)
    app.number_input(key="packet_0").set_value(4).run()
    assert not app.exception
    assert any("<img src=x>" in element.value for element in app.code)
    assert all("<img src=x>" not in element.value for element in app.markdown)
    assert all("**b**[a](x)" not in element.value for element in app.markdown)


def test_flows_are_chosen_by_number_and_stay_chosen_under_filters(
    office: tuple[Workspace, Artefact], open_page: Opener
) -> None:
    app = open_page(office[0], "flows")
    assert not app.exception and "Press the number" in caption(app)
    chosen(app, 3, 8)
    assert "**Flow 3**" in words(app) and "Chosen: 3, 8" in words(app)
    app.multiselect(key="f_service").set_value(["dns"]).run()
    assert "**Flow 3**" not in words(app) and "**Flow 8**" in words(app) and "1 of them not in the table" in words(app)
    app.multiselect(key="f_service").set_value([]).run()
    assert "**Flow 3**" in words(app)
    next(b for b in app.button if b.label == "Choose none").click().run()
    assert "**Flow 3**" not in words(app)


def test_the_order_of_the_table_is_chosen(office: tuple[Workspace, Artefact], open_page: Opener) -> None:
    app = open_page(office[0], "flows")
    app.multiselect(key="f_service").set_value(["http"]).run()
    for order, column, rising in (
        ("longest first", "duration (ms)", False),
        ("by originator", "originator", True),
        ("most bytes first", "bytes ←", False),
    ):
        app.selectbox(key="flow_order").set_value(order).run()
        table = app.dataframe[0].value
        assert not app.exception and len(table) == 20
        assert table[column].tolist() == sorted(table[column], reverse=not rising)
    app.selectbox(key="flow_order").set_value("in order of start").run()
    assert app.dataframe[0].value["start (UTC)"].is_monotonic_increasing


def test_a_cut_becomes_a_capture_with_those_flows(office: tuple[Workspace, Artefact], tmp_path: Path) -> None:
    workspace, flows = office
    rows = [1, 4, 5]
    report = cut_flows(workspace, flows.id, rows, tmp_path / "cut.pcap")
    made = do(workspace, "cut", flows.id, rows=format_rows(rows))
    content = workspace.path(made.id, made.files[0]).read_bytes()
    assert content == (tmp_path / "cut.pcap").read_bytes()
    assert made.kind == "capture" and made.facts["packets"] == report.packets == 10 + 2 + 10
    again = flows_of(workspace, do(workspace, "flows", made.id).id).frame
    assert again.equals(flows_of(workspace, flows.id).frame.iloc[rows].reset_index(drop=True))


def test_the_overview_of_an_older_workspace_is_computed(office: tuple[Workspace, Artefact], open_page: Opener) -> None:
    workspace, flows = office
    stored = overview_of(workspace, flows.id)
    workspace.path(flows.id, OVERVIEW).unlink()
    computed = overview_of(workspace, flows.id)
    assert computed.protocols == stored.protocols == {"TCP": (200, stored.protocols["TCP"][1]), "UDP": (40, 2640)}
    assert (computed.by_service.packets == stored.by_service.packets).all()
    assert not open_page(workspace, "capture").exception


def test_the_capture_page_shows_load_by_group(office: tuple[Workspace, Artefact], open_page: Opener) -> None:
    app = open_page(office[0], "capture")
    app.segmented_control(key="load_by").set_value("service").run()
    app.segmented_control(key="load_of").set_value("bytes").run()
    assert not app.exception and not app.error
    hosts = next(d.value for d in app.dataframe if "begun" in d.value.columns)
    assert hosts["flows"].sum() == 80 and hosts["packets"].sum() == 2 * 240


TABLE = "began;from;to;port;kind;took\n" + "".join(
    f"{1_700_000_000 + n}.5;10.0.0.{n % 5};192.0.2.1;443;tcp;0.25\n" for n in range(30)
)


def test_a_table_of_unknown_layout_is_read_through_the_form(
    empty: Workspace, tmp_path: Path, open_page: Opener
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(TABLE + "never;a;b;c;d;e\n", "utf-8")
    app = open_page(empty, "capture")
    app.text_input(key="capture_path").set_value(str(path))
    next(b for b in app.button if b.label == "Open" and b.proto.form_id == "open_path").click().run()
    (capture,) = empty.artefacts("capture")
    app.run()
    assert not app.exception and not app.error and not jobs(empty)
    key = f"map_{capture.id}"
    for ours, theirs in {"ts": "began", "src_ip": "from", "dst_ip": "to", "dst_port": "port", "proto": "kind"}.items():
        app.selectbox(key=f"{key}_{ours}").set_value(theirs)
    app.selectbox(key=f"{key}_src_port").set_value("")
    app.selectbox(key=f"{key}_duration").set_value("took").run()
    preview = next(d.value for d in app.dataframe if "start (UTC)" in d.value.columns)
    assert preview["dst_port"].tolist() == [443] * 8 and set(preview["duration (s)"]) == {0.25}
    app.button(key=f"{key}_read").click().run()
    (job,) = jobs(empty)
    assert wait_job(empty, job.id, timeout_s=120).status.state.value == "done"
    (flows,) = empty.artefacts("flows")
    assert flows.recipe is not None and flows.recipe.parameters["mapping"]["columns"]["duration"] == "took"
    assert flows.facts["flows"] == 30 and sum(flows.facts["skipped"].values()) == 1
    again = do_recipe(empty, Recipe(step="flows", inputs=(capture.id,), parameters=flows.recipe.parameters))[-1]
    assert flows_of(empty, again.id).frame.equals(flows_of(empty, flows.id).frame)
    page = open_page(empty, "capture")
    assert not page.exception and f"{key}_read" not in {button.key for button in page.button}
    assert any("first line" in d.value.columns for d in page.dataframe)


def test_tables_of_unknown_layout_are_one_line_each_below_what_was_read(
    office: tuple[Workspace, Artefact], tmp_path: Path, open_page: Opener
) -> None:
    workspace, _ = office
    for name in ("one.csv", "two.csv"):
        path = tmp_path / name
        path.write_text(TABLE + f"{name};;;;;\n", "utf-8")
        capture = do(workspace, "capture", path=str(path))
    app = open_page(workspace, "capture")
    assert not app.exception and words(app).count("is a table of unknown layout") == 2
    assert not any(str(box.key).startswith("map_") for box in app.selectbox)
    assert "Capture · 1" in {link.label for link in app.get("page_link")}
    app.button(key=f"unfold_{capture.id}").click().run()
    assert {str(box.key)[: len(capture.id) + 4] for box in app.selectbox if str(box.key).startswith("map_")} == {
        f"map_{capture.id}"
    }
    app.button(key="fold_mapping").click().run()
    assert not any(str(box.key).startswith("map_") for box in app.selectbox)


def test_an_upload_that_cannot_be_read_is_told_by_its_own_name(
    empty: Workspace, tmp_path: Path, open_page: Opener
) -> None:
    app = open_page(empty, "capture")
    app.file_uploader(key="upload").set_value(("night shift.pcap", b"\xd4\xc3\xb2\xa1\2\0\4\0 broken", "")).run()
    app.button(key="take_upload").click().run()
    (job,) = jobs(empty)
    assert wait_job(empty, job.id, timeout_s=120).status.state.value == "failed"
    app.run()
    said = words(app)
    assert not app.exception and "night shift.pcap" in said.replace("\\", "")
    assert str(empty.folder) not in said.replace("\\", "") and "/tmp" not in said


def test_a_mapping_without_what_is_needed_cannot_be_used(empty: Workspace, tmp_path: Path, open_page: Opener) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(TABLE, "utf-8")
    capture = do(empty, "capture", path=str(path))
    app = open_page(empty, "capture")
    app.selectbox(key=f"map_{capture.id}_dst_ip").set_value("").run()
    assert app.button(key=f"map_{capture.id}_read").disabled
    assert "Still needed" in app.warning[0].value


def test_an_empty_capture_is_shown_without_figures(empty: Workspace, tmp_path: Path, open_page: Opener) -> None:
    do(empty, "flows", do(empty, "capture", path=str(write_pcap(tmp_path / "none.pcap", []))).id)
    for page in ("capture", "flows"):
        app = open_page(empty, page)
        assert not app.exception and not app.error
    assert FlowIndex(flows_of(empty, empty.artefacts("flows")[0].id)).choices("service") == []


def test_reading_into_tunnels_is_part_of_the_recipe(office: tuple[Workspace, Artefact], open_page: Opener) -> None:
    workspace, flows = office
    app = open_page(workspace, "capture")
    app.toggle(key="reading_tunnels").set_value(True)
    next(b for b in app.button if b.label == "Read flows" and b.proto.form_id == "meter").click().run()
    job = jobs(workspace)[-1]
    assert job.recipe.parameters["options"] == {"tunnels": True}
    assert wait_job(workspace, job.id, timeout_s=120).status.state.value == "done"
    assert flows.id != workspace.artefacts("flows")[-1].id
    assert len(read_capture(workspace.get(flows.inputs[0].id).facts["path"]).packets) == flows.facts["packets"]
