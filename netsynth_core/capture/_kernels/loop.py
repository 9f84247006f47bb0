"""The loop over the records of a capture: hop, dissect and write the columns in one pass.

The common frame (Ethernet, IPv4 without options, TCP or UDP) is read here without a branch that depends on which of
the two it is; everything else goes through `links` and `network`. What the loop must equal is written plainly, with
dpkt, in the tests. The loop is one long function on purpose: its steps share forty values, which calls would carry to
and fro for every packet.
"""

import numpy as np

from netsynth_core.capture._kernels.fragments import attribute, move
from netsynth_core.capture._kernels.layout import (
    ACK,
    AT_PAYLOAD,
    BEGIN,
    DESCRIBED,
    DESTINATION,
    ELSEWHERE,
    FLAGS,
    FRAGMENT,
    FRAMES,
    FULL,
    IDENT,
    IP,
    NO_INSTANT,
    PAUSED,
    PROTO,
    ROUTE,
    SEQ,
    SIZE,
    SOURCE,
    STOP,
    TAKEN,
    VERSION,
    WAITS_UNTIL,
    WHOLE,
    WINDOW,
)  # fmt: skip
from netsynth_core.capture._kernels.network import read_frame
from netsynth_core.capture._kernels.rare import read_any_frame
from netsynth_core.capture._kernels.records import read_block, read_record
from netsynth_core.capture._kernels.words import (
    bare32,
    be16,
    be32,
    be64,
    byte,
    inner,
    least,
    most,
    prefetch,
)
from netsynth_core.capture.reasons import BAD_INSTANT, NO_INTERFACE, OK

_MAPPED = np.uint64(0xFFFF00000000)
_LONGEST = 0x7FFFFFFF
_AHEAD, _FETCHED, _LINE = np.array([4096, 65536, 64])


def _build(classic, rare):
    """The loop over records of classic pcap or of pcapng, with or without what `rare` reads.

    What a loop does not need is not compiled: numba prunes branches on numbers it closes over.
    """

    @inner
    def decode(
        data, final, pause, halt, big, header, fraction, swapped, tunnels, interfaces, links, units, known, state,
        counts, firsts, protocols, fields, inside, keys, facts, waiting, key,
        at, row, frame, last, earliest, latest, total,
        o_ts, o_src_hi, o_src_lo, o_dst_hi, o_dst_lo, o_proto, o_src_port, o_dst_port, o_ip_length, o_flags,
        o_seq, o_ack, o_window, o_ttl, o_payload_offset, o_payload_length, o_payload_captured,
        o_frame, o_ip_id, o_header_length, o_fragment,
    ):  # fmt: skip
        """Read records from byte `at` of `data` on.

        Parameters
        ----------
        data : uint8 (n,)
            Bytes of the file, or of a window of it.
        final : bool
            Whether the file ends where `data` ends.
        pause : int
            Come back before the first record that starts here or later.
        halt : int
            Come back once so many frames of the file were read.
        big, header, fraction, swapped
            Byte order, and for classic pcap what `records.read_record` takes.
        tunnels : bool
            Whether to look into tunnels (where the kernel is built for it).
        interfaces : int64 (n, INTERFACE)
            What is known of the interfaces, `known` of them; classic pcap has one.
        links : int64 (65536, LINK)
            What is known of the link types.
        units : int64 (256, UNIT)
            What is known of the resolutions of instants.
        state : int64 (STATE,)
            As `layout` says.
        counts, firsts : int64 (CODES,)
            Frames per reason, and the 1-based number of the first of each.
        protocols : int64 (256,)
            Rows per IP protocol.
        fields, inside : int64 (FIELDS,)
            Room for one packet and for the one that it carries.
        keys, facts, waiting, key
            The table of `fragments` and room for a key.
        at, row, frame, last, earliest, latest, total
            Where to go on; rows and frames so far; instant of the last frame; earliest and latest instant and sum of
            the true lengths of the rows.
        o_ts ... o_fragment
            The columns of `PacketTable`, equally long; rows are filled from `row` on.

        Returns
        -------
        tuple
            Why it came back, as `layout` says, then `at` ... `total` as they are now.
        """
        capacity = len(o_ts)
        status = FULL
        while row < capacity:
            if at >= pause or frame >= halt:
                status = PAUSED
                break
            if classic:
                status, size, start, interface, kept, true, ts = read_record(
                    data, at, big, header, fraction, swapped, last
                )
            else:
                status, size, start, interface, kept, true, ts = read_block(
                    data, at, big, final, interfaces, units, known, last, state
                )
            if status != FULL:
                break
            # where the next record starts is known only once this one is here: the processor cannot look ahead itself
            for ahead in range(at + _AHEAD, at + _AHEAD + least(size, _FETCHED), _LINE):
                prefetch(data, ahead)
            at += size
            if start == 0:
                continue
            if interface >= known:
                frame += 1
                counts[NO_INTERFACE] += 1
                if firsts[NO_INTERFACE] == 0:
                    firsts[NO_INTERFACE] = frame
                continue
            if ts != NO_INSTANT:
                last = ts
            link = interfaces[interface, DESCRIBED] & 0xFFFF
            links[link, FRAMES] += 1
            end = start + kept
            true = least(most(true, kept), _LONGEST)

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
                stop = least(ip + length, begin + datagram)
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
                    way = links[link, ROUTE] & 0xFF
                    length = links[link, ROUTE] >> 8 & 0xFF
                    place = links[link, ROUTE] >> 16
                    if rare:
                        why = read_any_frame(data, start, end, true, way, length, place, tunnels, fields, inside)
                    else:
                        why = read_frame(data, start, end, true, way, length, place, fields)
                if why != OK:
                    frame += 1
                    counts[why] += 1
                    if firsts[why] == 0:
                        firsts[why] = frame
                    continue
                if fields[FRAGMENT] != WHOLE:
                    until = attribute(
                        data, fields, ts, frame, row, state[TAKEN], keys, facts, waiting, key,
                        o_proto, o_src_port, o_dst_port, o_src_hi, o_src_lo, o_dst_hi, o_dst_lo,
                    )  # fmt: skip
                    state[WAITS_UNTIL] = most(state[WAITS_UNTIL], until)
                ip = fields[IP]
                version = fields[VERSION]
                proto = fields[PROTO]
                begin = fields[BEGIN]
                sport = fields[SOURCE]
                dport = fields[DESTINATION]
                seq = fields[SEQ]
                ack = fields[ACK]
                flags = fields[FLAGS]
                window = fields[WINDOW]
                ident = fields[IDENT]
                fragment = fields[FRAGMENT]
                length = fields[SIZE]
                payload = fields[AT_PAYLOAD]
                stop = fields[STOP]

            if version == 4:
                o_src_hi[row] = 0
                o_src_lo[row] = _MAPPED | bare32(data, ip + 12)
                o_dst_hi[row] = 0
                o_dst_lo[row] = _MAPPED | bare32(data, ip + 16)
                o_ttl[row] = byte(data, ip + 8)
            else:
                o_src_hi[row] = be64(data, ip + 8)
                o_src_lo[row] = be64(data, ip + 16)
                o_dst_hi[row] = be64(data, ip + 24)
                o_dst_lo[row] = be64(data, ip + 32)
                o_ttl[row] = byte(data, ip + 7)
            if rare and fragment != WHOLE and fields[ELSEWHERE] != 0:
                move(facts, fields[ELSEWHERE] - 1, row, o_src_hi, o_src_lo, o_dst_hi, o_dst_lo)
            seen = least(payload, end)
            o_ts[row] = ts
            o_proto[row] = proto
            o_src_port[row] = sport
            o_dst_port[row] = dport
            o_ip_length[row] = least(length, _LONGEST)
            o_flags[row] = flags
            o_seq[row] = seq
            o_ack[row] = ack
            o_window[row] = window
            o_payload_offset[row] = seen
            o_payload_length[row] = least(most(stop - payload, 0), _LONGEST)
            o_payload_captured[row] = most(least(stop, end) - payload, 0)
            o_frame[row] = frame
            o_ip_id[row] = ident
            o_header_length[row] = most(least(seen - begin, 255), 0)
            o_fragment[row] = fragment
            protocols[proto] += 1
            earliest = least(earliest, ts)
            latest = most(latest, ts)
            total += true
            row += 1
            frame += 1
        return status, at, row, frame, last, earliest, latest, total

    return decode


decode_pcap, decode_any_pcap = _build(1, 0), _build(1, 1)
decode_pcapng, decode_any_pcapng = _build(0, 0), _build(0, 1)
