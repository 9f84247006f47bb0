"""One TCP packet of a flow: states and history in Zeek's order of steps, marks by Wireshark's meanings, options."""

import numpy as np

from netsynth_core.flows._meter_kernels.compiled import part

KEPT_LETTERS = 36

# numbers of a NumPy type: numba would compile functions anew for each literal they are called with
_INACTIVE, _PARTIAL, _SYN_SENT, _SYN_ACK_SENT, _ESTABLISHED, _CLOSED, _RESET = np.arange(7)
_FIN, _SYN, _RST, _ACK = np.array([1, 2, 4, 16])
_LETTER_S, _LETTER_H, _LETTER_A, _LETTER_D, _LETTER_F, _LETTER_R = np.arange(1, 7)
_LETTER_T, _LETTER_W, _LETTER_I, _LETTER_Q, _LETTER_G, TURNED = np.arange(7, 13)
_LOWER = np.int64(12)
# notes of a side
_BEGUN, _HOLE, _FINISHED, _PROBED, _KEPT, _SECOND = 1 << np.arange(6)
# marks
_RETRANSMISSION, _OUT_OF_ORDER, _DUPLICATE_ACK, _ZERO_WINDOW, _GAP, _KEEP_ALIVE, DUPLICATE = 1 << np.arange(7)
_OUTLANDISH = 1048576
_QUICK = 20_000_000
_NEAR = 3_000_000


@part
def append(flow, letter, way):
    """Add a letter of side `way` to the history; what comes after `KEPT_LETTERS` is left out."""
    n = np.int64(flow.letters)
    if n < KEPT_LETTERS:
        code = np.int64(letter)
        if way != flow.turned and code != TURNED:
            code += _LOWER
        flow.history[n // 12] |= np.uint64(code) << np.uint64(5 * (n % 12))
        flow.letters = n + 1


@part
def _is_round(count):
    """Whether something that repeats is told again: at the 1st, 10th, 100th ... time."""
    return count == 1 or count == 10 or count == 100 or count == 1000 or count == 10000 or count == 100000


@part
def _ahead(a, b):
    """a - b in the circle of sequence numbers, -2**31 .. 2**31 - 1."""
    return np.int64(np.int32(np.uint32(a - b)))


@part
def _restart(side, seq, end):
    """Begin the sequence space of a side at its SYN."""
    side.start = seq
    side.acked = seq
    side.next = end
    side.whole = seq + 1
    side.notes &= ~(_HOLE | _SECOND)


@part
def _recount(side, bits, seq, end):
    """The sequence space of a side that says something for the first time, or says SYN again."""
    if side.state == _INACTIVE:
        if bits & _SYN:
            _restart(side, seq, end)
        else:
            _restart(side, np.uint32(seq - 1), seq)
    elif bits & _SYN:
        open_ = side.state == _ESTABLISHED or side.state == _PARTIAL
        opening = (side.state == _SYN_SENT or side.state == _SYN_ACK_SENT) and side.start != seq
        if open_ or opening or (side.state == _RESET and side.before == _INACTIVE):
            _restart(side, seq, end)


@part
def _write_history(flow, me, bits, seq, length, way):
    """The letters of one TCP packet."""
    rel = np.uint32(seq - me.start)
    what = bits & (_FIN | _SYN | _RST)
    again = False
    if what == 0:
        if not length and not bits & _ACK:
            return
        letter = _LETTER_D if length else _LETTER_A
        if me.seen & (1 << letter):
            return
        if flow.letters == 1 and flow.history[0] == _LETTER_H:
            # a SYN-ACK came first and now traffic that is no stealth scan: its sender was the responder
            flow.turned = 1 - flow.turned
            flow.history[0] = np.uint64(TURNED | (_LETTER_H + _LOWER) << 5)
            flow.letters = 2
    elif what == _SYN:
        letter = _LETTER_H if bits & _ACK else _LETTER_S
        again = rel != me.was_syn
        me.was_syn = rel
    elif what == _FIN:
        letter = _LETTER_F
        rel = np.uint32(rel + length)
        again = rel != me.was_fin
        me.was_fin = rel
    elif what == _RST:
        letter = _LETTER_R
        again = rel != me.was_rst
        me.was_rst = rel
    elif what & _FIN and what & _RST:
        letter = _LETTER_I
    else:
        letter = _LETTER_Q
    # SYN and SYN-ACK of one side are told as one thing
    bit = 1 << (_LETTER_S if letter == _LETTER_H else letter)
    if again or not me.seen & bit:
        append(flow, letter, way)
    me.seen |= bit


@part
def _first_state(flow, me, peer, bits, seq, length, way, is_orig):
    """The state of a side that was inactive, after its first packet."""
    state = _INACTIVE
    other = np.int64(peer.state)
    if bits & _SYN:
        state = _ESTABLISHED
        if is_orig:
            state = _SYN_ACK_SENT if bits & _ACK else _SYN_SENT
        else:
            if not bits & _ACK and other == _SYN_ACK_SENT and seq == me.start:
                # SYN and SYN-ACK in the wrong order
                flow.turned = 1 - flow.turned
                append(flow, TURNED, way)
                other = _ESTABLISHED
            if other == _SYN_SENT:
                other = _ESTABLISHED
            if other != peer.state:
                peer.before = peer.state
                peer.state = other
    if bits & _FIN:
        state = _CLOSED
    if bits & _RST:
        state = _RESET
    if state == _INACTIVE:
        orig_state = _INACTIVE if way == flow.turned else other
        if not is_orig and length == 0 and orig_state == _SYN_SENT:
            return state
        return _ESTABLISHED if bits & _ACK and other == _ESTABLISHED else _PARTIAL
    return state


@part
def _step(flow, me, peer, bits, seq, length, way, is_orig):
    """Move the states of both sides on by one packet."""
    state = np.int64(me.state)
    after = state
    if state == _INACTIVE:
        after = _first_state(flow, me, peer, bits, seq, length, way, is_orig)
    elif state == _CLOSED:
        if bits & _RST and peer.state != _CLOSED:
            after = _RESET
    elif state != _RESET:
        if bits & _SYN and state == _PARTIAL and peer.state == _INACTIVE and not bits & _ACK:
            after = _SYN_SENT
        if bits & _FIN and not (bits & _RST and state != _SYN_SENT and state != _SYN_ACK_SENT):
            after = _CLOSED
            if state != _SYN_SENT and state != _SYN_ACK_SENT and peer.state == _RESET and peer.before == _CLOSED:
                peer.before = _RESET
                peer.state = _CLOSED
        if bits & _RST:
            after = _RESET
    if after != state:
        me.before = state
        me.state = after


@part
def _sound(a, b):
    """Whether both sides are established or closed in good order: only then a gap is told in the history."""
    return (a.state == _ESTABLISHED or (a.state == _CLOSED and a.before == _ESTABLISHED)) and (
        b.state == _ESTABLISHED or (b.state == _CLOSED and b.before == _ESTABLISHED)
    )


@part
def _pass_hole(side):
    """The first hole is filled or given up: the side is whole up to the next one."""
    if side.notes & _SECOND:
        side.whole = side.lower
        side.beyond = side.upper
        side.notes &= ~_SECOND
    else:
        side.whole = side.next
        side.notes &= ~_HOLE


@part
def _close_gaps(me, peer, ack):
    """What the peer sent is acknowledged up to `ack`: how many runs of bytes below it never came."""
    if peer.notes & _FINISHED and _ahead(ack, peer.fin) >= 0:
        ack = np.uint32(peer.fin - 1)
    if _ahead(ack, peer.whole) <= 0 or (not peer.seen & 1 << _LETTER_S and np.uint32(ack - peer.start) <= 2):
        return 0
    gaps = 0
    for _ in range(3):
        if peer.notes & _HOLE and _ahead(ack, peer.beyond) >= 0:
            gaps += _ahead(ack, peer.whole) > 0
            _pass_hole(peer)
        elif _ahead(ack, peer.whole) > 0:
            gaps += 1
            peer.whole = ack
    return gaps if _sound(me, peer) else 0


@part
def _mark(flow, me, peer, bits, seq, ack, window, length, ts):
    """What a TCP packet is beside the orderly course of its side: `Mark` bits."""
    mark = 0
    what = bits & (_FIN | _SYN | _RST)
    if window == 0 and what == 0:
        mark |= _ZERO_WINDOW
    if not me.notes & _BEGUN:
        return mark
    ahead = _ahead(seq, me.next)
    was_probed = me.notes & _PROBED
    me.notes &= ~(_PROBED | _KEPT)
    if length == 1 and ahead == 0 and peer.notes & _BEGUN and peer.window == 0:
        me.notes |= _PROBED
        return mark & ~_ZERO_WINDOW
    if ahead > 0 and not bits & _RST:
        mark |= _GAP
    if ahead == -1 and length <= 1 and what == 0:
        me.notes |= _KEPT
        mark |= _KEEP_ALIVE
    same = length == 0 and what == 0 and window and window == me.window and ahead == 0 and ack == me.ack
    if same and not peer.notes & (_KEPT | _PROBED):
        mark |= _DUPLICATE_ACK
        me.dupacks = min(me.dupacks + 1, 255)
    if ack != me.ack:
        me.dupacks = 0
    if ahead < 0 and not mark & _KEEP_ALIVE and (length > 0 or bits & (_SYN | _FIN)):
        if length > 1 and ahead == -1 and was_probed:
            return mark
        end = np.uint32(seq + length)
        late = ts - me.reached < (flow.rtt if flow.rtt > 0 else _NEAR)
        # whether it brings bytes that were not captured yet: of a hole, or beyond all
        fresh = _ahead(end, me.next) > 0
        if me.notes & _HOLE and _ahead(seq, me.beyond) < 0 and _ahead(end, me.whole) > 0:
            fresh = True
        if me.notes & _SECOND and _ahead(seq, me.upper) < 0 and _ahead(end, me.lower) > 0:
            fresh = True
        acked = length > 0 and peer.notes & _BEGUN and _ahead(end, peer.ack) <= 0
        asked = peer.dupacks >= 2 and peer.ack == seq and ts - peer.last < _QUICK
        if late and fresh and not acked and not asked and end != me.next:
            mark |= _OUT_OF_ORDER
        else:
            mark |= _RETRANSMISSION
    return mark


@part
def _receive(me, seq, end, before):
    """Data from `seq` to `end` came, behind `before` so far: how far the side is whole, and its first two holes."""
    if _ahead(seq, me.whole) > 0:
        if not me.notes & _HOLE or _ahead(seq, me.beyond) < 0:
            me.beyond = seq
            me.notes |= _HOLE
        elif not me.notes & _SECOND:
            if _ahead(seq, before) > 0:
                me.notes |= _SECOND
                me.lower = before
                me.upper = seq
        elif _ahead(seq, me.lower) <= 0:
            if _ahead(end, me.lower) > 0:
                me.lower = end
        elif _ahead(seq, me.upper) < 0:
            me.upper = seq
        if me.notes & _SECOND and _ahead(me.lower, me.upper) >= 0:
            me.notes &= ~_SECOND
    elif _ahead(end, me.whole) > 0:
        me.whole = end
        if me.notes & _HOLE and _ahead(end, me.beyond) >= 0:
            _pass_hole(me)


@part
def tcp_options(side, data, at, stop):
    """TCP options of a SYN (RFC 9293 section 3.2, RFC 7323, RFC 2018)."""
    stop = min(stop, len(data))
    while at < stop:
        kind = data[at]
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        if at + 1 >= stop:
            return
        size = np.int64(data[at + 1])
        if size < 2 or at + size > stop:
            return
        if kind == 2 and size == 4:
            side.mss = np.int32(data[at + 2]) << 8 | np.int32(data[at + 3])
        elif kind == 3 and size == 3:
            side.scale = min(data[at + 2], 14)
            side.options |= 4
        elif kind == 4 and size == 2:
            side.options |= 1
        elif kind == 8 and size == 10:
            side.options |= 2
        at += size


@part
def tcp_packet(flow, me, peer, way, bits, seq, ack, window, length, ts, doubled):
    """One TCP packet of a flow: history, states, marks. Zeek's order of steps, so that its letters come out."""
    is_orig = way == flow.turned
    what = bits & (_FIN | _SYN | _RST)
    control = np.int64((bits & _SYN) >> 1) + np.int64(bits & _FIN)
    size = control if bits & _RST else length + control
    end = np.uint32(seq + size)
    mark = _mark(flow, me, peer, bits, seq, ack, window, length, ts)
    if doubled:
        mark |= DUPLICATE
    if bits & (_SYN | _ACK) == _SYN:
        flow.syn_at = ts
    elif flow.rtt == 0 and flow.syn_at and what == 0 and bits & _ACK and peer.seen & me.seen & 1 << _LETTER_S:
        opened = seq == np.uint32(me.start + 1) and ack == np.uint32(peer.start + 1)
        flow.rtt = max(ts - flow.syn_at, 1) if opened else 0
    if me.state == _INACTIVE or what & _SYN:
        _recount(me, bits, seq, end)
    _write_history(flow, me, bits, seq, length, way)
    if window == 0 and not bits & _RST and peer.state != _CLOSED and me.state != _RESET:
        me.zeros += 1
        if _is_round(me.zeros):
            append(flow, _LETTER_W, way)
    if bits & _FIN:
        me.fin = end
        me.notes |= _FINISHED
    if bits & _ACK:
        if peer.state == _INACTIVE:
            _restart(peer, np.uint32(ack - 1), np.uint32(ack - 1))
        elif not bits & _RST and _ahead(ack, peer.start) >= 0:
            more = _ahead(ack, peer.acked)
            if more > 0 and not (ack == 0 and more > _OUTLANDISH):
                peer.acked = ack
    before = me.next
    ahead = _ahead(end, before)
    if what & (_SYN | _RST) and (ahead > _OUTLANDISH or ahead < -_OUTLANDISH):
        pass
    elif (bits & _FIN and me.next == np.uint32(me.start + 1)) or (me.state != _RESET and ahead > 0):
        me.next = end
        me.reached = ts
    elif me.state != _RESET and length > 0:
        me.rexmits += 1
        if _is_round(me.rexmits):
            append(flow, _LETTER_T, way)
    if me.state != _ESTABLISHED or what:
        _step(flow, me, peer, bits, seq, length, way, is_orig)
    if bits & _ACK and peer.state != _INACTIVE and _ahead(ack, peer.whole) > 0:
        for _ in range(_close_gaps(me, peer, ack)):
            peer.gaps += 1
            if _is_round(peer.gaps):
                append(flow, _LETTER_G, 1 - way)
    if (length or bits & _FIN) and not bits & _RST:
        _receive(me, np.uint32(seq + 1) if bits & _SYN else seq, np.uint32(end - (1 if bits & _FIN else 0)), before)
    me.ack = ack
    me.window = window
    me.notes |= _BEGUN
    return mark


@part
def has_ended(me, peer, gap, linger):
    """Whether a TCP flow had come to its end longer than `linger` ago, its last packet being `gap` old."""
    if gap <= linger:
        return False
    if me.state == _RESET or peer.state == _RESET:
        return True
    if me.state == _CLOSED:
        return peer.state == _CLOSED or peer.state == _INACTIVE
    return peer.state == _CLOSED and me.state == _INACTIVE


@part
def reopens(flow, me, peer, way, bits, seq):
    """Whether a SYN begins another connection on the same addresses and ports."""
    orig_state, resp_state = me.state, peer.state
    orig_start, resp_start = me.start, peer.start
    if way != flow.turned:
        orig_state, resp_state = peer.state, me.state
        orig_start, resp_start = peer.start, me.start
    base = orig_start
    if bits & _ACK:
        if orig_state != _INACTIVE:
            return False
        base = resp_start
    # closed or reset
    if orig_state >= _CLOSED or resp_state >= _CLOSED:
        return True
    if seq == base:
        return False
    return not (not bits & _ACK and orig_state == _SYN_ACK_SENT and resp_state == _INACTIVE and seq == resp_start)
