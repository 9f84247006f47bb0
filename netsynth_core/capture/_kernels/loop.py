"""The loop over the records of a capture: hop, dissect and write the columns in one pass.

The common frame (Ethernet, IPv4 without options, TCP or UDP) is read here without a branch that depends on which of
the two it is; everything else goes through `links` and `network`. What the loop must equal is written plainly, with
dpkt, in the tests.
"""

import numpy as np
from numba import njit

from netsynth_core.capture._kernels import layout as at_
from netsynth_core.capture._kernels.fragments import attribute
from netsynth_core.capture._kernels.layout import DAMAGED, FULL, NO_INSTANT, PAUSED, SHORT, WHOLE
from netsynth_core.capture._kernels.network import read_frame
from netsynth_core.capture._kernels.pcapng import read_block
from netsynth_core.capture._kernels.words import be16, be32, be64, byte, sources_stamp, word32
from netsynth_core.capture.pcap import RECORD_LIMIT
from netsynth_core.capture.reasons import BAD_INSTANT, NO_INTERFACE, OK

_MAPPED = np.uint64(0xFFFF00000000)
_LONGEST = 0x7FFFFFFF


def _build(stamp):
    @njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
    def decode(
        data, final, pause, settings, interfaces, known, state, counts, firsts, protocols,
        fields, inside, keys, facts, waiting, key,
        o_ts, o_src_hi, o_src_lo, o_dst_hi, o_dst_lo, o_proto, o_src_port, o_dst_port, o_ip_length, o_flags,
        o_seq, o_ack, o_window, o_ttl, o_payload_offset, o_payload_length, o_payload_captured,
        o_frame, o_ip_id, o_header_length, o_fragment,
    ):  # fmt: skip
        """Read records from ``state[AT]`` on until a reason of `layout` to come back, which is returned.

        Parameters
        ----------
        data : uint8 (n,)
            Bytes of the file, or of a window of it.
        final : bool
            Whether the file ends where `data` ends.
        pause : int
            Come back before the first record that starts here or later.
        settings, state
            As `layout` says.
        interfaces : int64 (INTERFACE, n)
            What is known of the interfaces, `known` of them; classic pcap has one.
        counts, firsts : int64 (CODES,)
            Frames per reason, and the 1-based number of the first of each.
        protocols : int64 (256,)
            Rows per IP protocol.
        fields, inside : int64 (FIELDS,)
            Room for one packet and for the one that it carries.
        keys, facts, waiting, key
            The table of `fragments` and room for a key.
        o_ts ... o_fragment
            The columns of `PacketTable`, equally long; rows are filled from ``state[ROW]`` on.
        """
        state[at_.STAMP] = stamp
        classic = settings[at_.CLASSIC] != 0
        big = settings[at_.BIG] != 0
        swapped = settings[at_.SWAPPED] != 0
        tunnels = settings[at_.TUNNELS] != 0
        header = settings[at_.HEADER]
        fraction = settings[at_.FRACTION]
        at = state[at_.AT]
        row = state[at_.ROW]
        frame = state[at_.FRAME]
        last = state[at_.LAST]
        earliest = state[at_.EARLIEST]
        latest = state[at_.LATEST]
        total = state[at_.BYTES]
        available = len(data)
        capacity = len(o_ts)
        interface = np.int64(0)
        link = interfaces[at_.LINK, 0]
        status = FULL
        while row < capacity:
            if at >= pause:
                status = PAUSED
                break
            if classic:
                if at + header > available:
                    status = SHORT
                    break
                kept = word32(data, at + 8, big)
                true = word32(data, at + 12, big)
                if swapped and kept > true:
                    both = kept + true
                    kept = true
                    true = both - kept
                start = at + header
                size = header + kept
                if at + size > available or kept > RECORD_LIMIT:
                    status = DAMAGED if kept > RECORD_LIMIT else SHORT
                    break
                ts = word32(data, at, big) * 1_000_000_000 + word32(data, at + 4, big) * fraction
            else:
                status, size, start, interface, kept, true, ts = read_block(
                    data, at, big, final, interfaces, known, last, state
                )
                if status != FULL:
                    break
                if start == 0:
                    at += size
                    continue
                if interface >= known:
                    frame += 1
                    at += size
                    counts[NO_INTERFACE] += 1
                    if firsts[NO_INTERFACE] == 0:
                        firsts[NO_INTERFACE] = frame
                    continue
                link = interfaces[at_.LINK, interface]
                if ts != NO_INSTANT:
                    last = ts
            interfaces[at_.FRAMES, interface] += 1
            at += size
            end = start + kept
            true = min(max(true, kept), _LONGEST)

            plain = False
            ip = start + 14
            begin = ip + 20
            if link == 1 and kept >= 54 and ts != NO_INSTANT:
                proto = byte(data, ip + 9)
                # all bits where the packet is TCP, none where it is UDP: both headers are read without a branch
                mask = -np.int64(proto == 6)
                sport = be16(data, begin)
                dport = be16(data, begin + 2)
                seq = be32(data, begin + 4) & mask
                ack = be32(data, begin + 8) & mask
                flags = byte(data, begin + 13) & mask
                window = be16(data, begin + 14) & mask
                head = ((byte(data, begin + 12) >> 4) * 4 & mask) | (8 & ~mask)
                datagram = be16(data, begin + 4) | (0xFFFFFF & mask)
                length = be16(data, ip + 2)
                ident = be16(data, ip + 4)
                payload = begin + head
                stop = min(ip + length, begin + datagram)
                version = np.int64(4)
                fragment = np.int64(WHOLE)
                plain = (
                    (be16(data, start + 12) == 0x0800)
                    & (byte(data, ip) == 0x45)
                    & (be16(data, ip + 6) & 0x3FFF == 0)
                    & ((proto == 6) | (proto == 17))
                    & (head >= (20 & mask))
                    & (datagram >= 8)
                    & (payload <= stop)
                    & (payload <= end)
                    & (not tunnels)
                )
            if not plain:
                why = BAD_INSTANT
                if ts != NO_INSTANT:
                    why = read_frame(
                        data, start, end, true, interfaces[at_.WAY, interface], interfaces[at_.LINK_SIZE, interface],
                        interfaces[at_.TYPE_AT, interface], tunnels, fields, inside,
                    )  # fmt: skip
                if why != OK:
                    frame += 1
                    counts[why] += 1
                    if firsts[why] == 0:
                        firsts[why] = frame
                    continue
                if fields[at_.FRAGMENT] != WHOLE:
                    until = attribute(
                        data, fields, ts, frame, row, keys, facts, waiting, key, o_proto, o_src_port, o_dst_port
                    )
                    state[at_.WAITS_UNTIL] = max(state[at_.WAITS_UNTIL], until)
                ip = fields[at_.IP]
                version = fields[at_.VERSION]
                proto = fields[at_.PROTO]
                begin = fields[at_.BEGIN]
                sport = fields[at_.SOURCE]
                dport = fields[at_.DESTINATION]
                seq = fields[at_.SEQ]
                ack = fields[at_.ACK]
                flags = fields[at_.FLAGS]
                window = fields[at_.WINDOW]
                ident = fields[at_.IDENT]
                fragment = fields[at_.FRAGMENT]
                length = fields[at_.SIZE]
                payload = fields[at_.AT_PAYLOAD]
                stop = fields[at_.STOP]

            if version == 4:
                o_src_hi[row] = 0
                o_src_lo[row] = _MAPPED | np.uint64(be32(data, ip + 12))
                o_dst_hi[row] = 0
                o_dst_lo[row] = _MAPPED | np.uint64(be32(data, ip + 16))
                o_ttl[row] = byte(data, ip + 8)
            else:
                o_src_hi[row] = be64(data, ip + 8)
                o_src_lo[row] = be64(data, ip + 16)
                o_dst_hi[row] = be64(data, ip + 24)
                o_dst_lo[row] = be64(data, ip + 32)
                o_ttl[row] = byte(data, ip + 7)
            seen = min(payload, end)
            o_ts[row] = ts
            o_proto[row] = proto
            o_src_port[row] = sport
            o_dst_port[row] = dport
            o_ip_length[row] = min(length, _LONGEST)
            o_flags[row] = flags
            o_seq[row] = seq
            o_ack[row] = ack
            o_window[row] = window
            o_payload_offset[row] = seen
            o_payload_length[row] = min(max(stop - payload, 0), _LONGEST)
            o_payload_captured[row] = max(min(stop, end) - payload, 0)
            o_frame[row] = frame
            o_ip_id[row] = ident
            o_header_length[row] = max(min(seen - begin, 255), 0)
            o_fragment[row] = fragment
            protocols[proto] += 1
            earliest = min(earliest, ts)
            latest = max(latest, ts)
            total += true
            row += 1
            frame += 1
        state[at_.AT] = at
        state[at_.ROW] = row
        state[at_.FRAME] = frame
        state[at_.LAST] = last
        state[at_.EARLIEST] = earliest
        state[at_.LATEST] = latest
        state[at_.BYTES] = total
        return status

    return decode


decode = _build(sources_stamp())
