"""Tokens of texts: which first words are worth a symbol of their own.

A token is kept where it recurs over conversations of its service, so that bodies of mails and pages, which begin with
anything, do not swell the alphabet; every other text is plain ``Text``.
"""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 10
LEAST_CONVERSATIONS: Final = 3
LEAST_SHARE: Final = 0.01
MOST_TOKENS: Final = 24

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9.+/_*]")


def text_tokens(
    heads: NDArray[np.uint8], is_text: NDArray[np.bool_], flow: NDArray[np.int64], service: NDArray[np.object_]
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes of the kept tokens.

    Parameters
    ----------
    heads
        (n, 16) bytes of the first words, zero behind them.
    is_text, flow, service
        Per position: whether it is a text, its conversation, the service of that.

    Returns
    -------
    tuple
        A code per position and the tokens they stand for; code 0 is no token.
    """
    out = np.zeros(len(is_text), np.int64)
    where = np.flatnonzero(is_text)
    tokens = [""]
    if len(where) == 0:
        return out, tokens
    raw = np.ascontiguousarray(heads[where]).view("S16").ravel()
    distinct, which = np.unique(raw, return_inverse=True)
    texts = [token_of(word) for word in distinct.tolist()]
    names = sorted({text for text in texts if text})
    code_of = {"": 0} | {name: i + 1 for i, name in enumerate(names)}
    codes = np.array([code_of[text] for text in texts], np.int64)[which]
    services, of_service = np.unique(service[where].astype(str), return_inverse=True)
    for s in range(len(services)):
        mine = of_service == s
        pairs = np.unique(np.stack([codes[mine], flow[where][mine]]), axis=1)
        share = np.bincount(pairs[0], minlength=len(names) + 1)
        least = max(LEAST_CONVERSATIONS, LEAST_SHARE * len(np.unique(pairs[1])))
        kept = np.flatnonzero(share >= least)
        kept = kept[kept > 0]
        kept = kept[np.argsort(-share[kept], kind="stable")][:MOST_TOKENS]
        out[where[mine]] = np.where(np.isin(codes[mine], kept), codes[mine], 0)
    return out, [*tokens, *names]


def token_of(word: bytes) -> str:
    """The token of the first word of a text: at most 10 characters, foreign ones replaced by ``_``; none when longer."""
    text = word.decode("utf-8", errors="replace")
    if not text or len(text) > LONGEST:
        return ""
    return _FOREIGN.sub("_", text)
