"""A small log of each layout, written for these tests: the same few flows where the layout can hold them."""

ZEEK = """#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#open\t2024-04-19-00-00-01
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\tip_proto
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]\tcount
1713484800.250001\tCa1\t10.0.0.5\t50000\t203.0.113.9\t443\ttcp\tssl\t1.500000\t100\t900\tSF\tT\t0\tShADadFf\t6\t420\t5\t1160\t(empty)\t6
1713484801.000000\tCa2\t10.0.0.5\t53001\t10.0.0.1\t53\tudp\tdns\t0.010000\t30\t60\tSF\tT\t0\tDd\t1\t58\t1\t88\t(empty)\t17
1713484802.000000\tCa3\t10.0.0.7\t8\t10.0.0.1\t0\ticmp\t-\t-\t-\t-\tOTH\tT\t0\t-\t1\t84\t0\t0\t(empty)\t1
1713484803.000000\tCa4\tfe80::1\t135\tff02::1\t136\ticmp\t-\t-\t-\t-\tOTH\tT\t0\t-\t1\t72\t0\t0\t(empty)\t58
1713484804.000000\tCa5\t10.0.0.8\t0\t10.0.0.9\t0\tunknown_transport\t-\t-\t-\t-\tOTH\tT\t0\t-\t1\t100\t0\t0\t(empty)\t47
#close\t2024-04-19-01-00-00
"""
ZEEK_JSON = """{"ts":1713484800.250001,"uid":"Ca1","id.orig_h":"10.0.0.5","id.orig_p":50000,"id.resp_h":"203.0.113.9","id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5,"conn_state":"SF","local_orig":true,"history":"ShADadFf","orig_pkts":6,"orig_ip_bytes":420,"resp_pkts":5,"resp_ip_bytes":1160,"community_id":"1:x"}
{"ts":1713484801.0,"uid":"Ca2","id.orig_h":"10.0.0.5","id.orig_p":53001,"id.resp_h":"10.0.0.1","id.resp_p":53,"proto":"udp","service":"dns","duration":0.01,"conn_state":"SF","history":"Dd","orig_pkts":1,"orig_ip_bytes":58,"resp_pkts":1,"resp_ip_bytes":88}
"""
ARGUS = """StartTime,LastTime,Flgs,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State
1713484800.000000,1713484860.000000, e        ,man,0,0,,0,0,0,0,0,0,STA
1713484800.250001,1713484801.750001, e s      ,tcp,10.0.0.5,50000,   ->,203.0.113.9,https,6,5,504,1230,FSPA_FSPA
1713484801.000000,1713484801.010000, e        ,udp,10.0.0.5,53001,  <->,10.0.0.1,domain,1,1,72,102,CON
1713484802.000000,1713484802.000000, e        ,icmp,10.0.0.7,0x0008,   ->,10.0.0.1,0x1c2f,1,0,98,0,ECO
1713484803.000000,1713484803.500000, e        ,tcp,10.0.0.1,22,   <-,10.0.0.5,40000,2,1,120,60,RST
"""
CTU = """StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label
2011/08/10 09:46:53.047277,3550.182373,udp,212.50.71.179,39678,  <->,147.32.84.229,13363,CON,0,0,12,875,413,flow=Background-UDP-Established
2011/08/10 09:46:53.050000,0.000883,tcp,10.0.0.5,50000,   ->,10.0.0.6,0x0050,S_RA,0,0,2,128,68,flow=From-Botnet
2011/08/10 09:46:54.000000,0.000000,arp,10.0.0.5,,  who,10.0.0.6,,INT,,,1,60,60,flow=Background
"""
NFDUMP = """ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das
2024-04-19 00:00:00,2024-04-19 00:00:01,1.500,10.0.0.5,203.0.113.9,50000,443,TCP,...AP.SF,0,0,6,420,0,0,0,0,0,0
2024-04-19 00:00:00,2024-04-19 00:00:01,1.400,203.0.113.9,10.0.0.5,443,50000,TCP,...AP.SF,0,0,5,1160,0,0,0,0,0,0
2024-04-19 00:00:02,2024-04-19 00:00:02,0.000,10.0.0.7,10.0.0.1,0,2048,ICMP,........,0,0,1,84,0,0,0,0,0,0
2024-04-19 00:00:02,2024-04-19 00:00:02,0.000,10.0.0.1,10.0.0.7,0,0,ICMP,........,0,0,1,84,0,0,0,0,0,0
Summary
flows,bytes,packets,avg_bps,avg_pps,avg_bpp
4,1748,13,100,1,134
"""
NFDUMP_NEW = """firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows
2024-04-19 00:00:00.250,1.500,TCP,10.0.0.5,50000,203.0.113.9,443,6,420,1
"""
CIDDS = """Date first seen,Duration,Proto,Src IP Addr,Src Pt,Dst IP Addr,Dst Pt,Packets,Bytes,Flows,Flags,Tos,class,attackType,attackID,attackDescription
2017-03-15 00:01:16.632,    0.000,TCP  ,192.168.100.5,445,192.168.220.16,58844,1,108,1,.AP...,0,normal,---,---,---
2017-03-15 00:01:16.552,    0.004,TCP  ,192.168.220.16,58844,192.168.100.5,445,1,174,1,.AP...,0,normal,---,---,---
2017-03-15 00:02:00.000,    2.000,TCP  ,EXT_SERVER,40000,10000_34,80,  12,   1.4 M,1,.AP.SF,0,attacker,dos,7,flood
2017-03-15 00:02:00.100,    2.000,TCP  ,10000_34,80,EXT_SERVER,40000,9,900,1,.AP.SF,0,victim,dos,7,flood
2017-03-15 00:04:01.000,    0.000,ICMP ,DNS,0,10000_34,8.0,1,84,1,......,0,normal,---,---,---
2017-03-15 00:04:01.010,    0.000,ICMP ,10000_34,0,DNS,0.0,1,84,1,......,0,normal,---,---,---
"""
CIC = """Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp, Flow Duration, Total Fwd Packets, Total Backward Packets,Total Length of Fwd Packets, Total Length of Bwd Packets,Flow Bytes/s, Flow Packets/s, Fwd Header Length, Bwd Header Length,FIN Flag Count, SYN Flag Count, RST Flag Count, PSH Flag Count, ACK Flag Count, URG Flag Count, Fwd Header Length, Label
x,192.168.10.5,54865,104.16.207.165,443,6,7/7/2017 3:30,3000000,2,1,12,6,4000000,666666.7,40,20,0,1,0,0,1,0,40,BENIGN
x,192.168.10.5,54866,104.16.207.165,80,6,7/7/2017 3:31,0,1,0,0,0,NaN,Infinity,-32212234632,0,0,0,0,0,0,0,0,Web Attack \x96 XSS
x,192.168.10.5,5353,224.0.0.251,5353,17,7/7/2017 3:32,-1,2,0,80,0,1,1,16,0,0,0,0,0,0,0,16,BENIGN
,,,,,,,,,,,,,,,,,,,,,,,
"""
UGR = """2016-07-27 13:43:26,0.200,42.219.153.7,143.72.8.137,53113,53,UDP,.A....,0,0,1,59,background
2016-07-27 13:43:26,0.000,143.72.8.137,42.219.153.7,53,53113,UDP,.A....,0,0,1,150,background
2016-07-27 13:43:30,1.000,42.219.153.8,143.72.8.137,50000,80,TCP,.AP.SF,0,0,5,500,blacklist
"""
SURICATA = """{"timestamp":"2021-06-06T15:59:46.457984+0200","flow_id":1,"event_type":"alert","src_ip":"10.0.0.5","src_port":1,"dest_ip":"10.0.0.1","dest_port":2,"proto":"TCP","flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":60,"bytes_toclient":0,"start":"2021-06-06T15:59:46.457984+0200"}}
{"timestamp":"2021-06-06T16:00:00.000000+0200","flow_id":2,"event_type":"flow","src_ip":"10.0.0.5","src_port":50000,"dest_ip":"203.0.113.9","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":6,"pkts_toclient":5,"bytes_toserver":504,"bytes_toclient":1230,"start":"2021-06-06T15:59:50.250001+0200","end":"2021-06-06T15:59:51.750001+0200","age":1,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}
{"timestamp":"2021-06-06T16:00:01.000000+0200","flow_id":3,"event_type":"flow","src_ip":"10.0.0.7","dest_ip":"10.0.0.1","proto":"ICMP","icmp_type":8,"icmp_code":0,"flow":{"pkts_toserver":1,"pkts_toclient":1,"bytes_toserver":98,"bytes_toclient":98,"start":"2021-06-06T15:59:52.000000+0200","end":"2021-06-06T15:59:52.100000+0200"}}
"""
SURICATA_NETFLOW = """{"timestamp":"2020-10-01T21:26:05.007515+0000","event_type":"netflow","src_ip":"45.129.33.153","src_port":47047,"dest_ip":"172.31.16.139","dest_port":443,"proto":"TCP","netflow":{"pkts":3,"bytes":180,"start":"2020-10-01T21:25:04.000000+0000","end":"2020-10-01T21:25:05.000000+0000","age":1},"tcp":{"tcp_flags":"13"}}
{"timestamp":"2020-10-01T21:26:05.007515+0000","event_type":"netflow","src_ip":"172.31.16.139","src_port":443,"dest_ip":"45.129.33.153","dest_port":47047,"proto":"TCP","netflow":{"pkts":2,"bytes":120,"start":"2020-10-01T21:25:04.100000+0000","end":"2020-10-01T21:25:05.000000+0000","age":1},"tcp":{"tcp_flags":"13"}}
"""
LOGS = {
    "zeek": ZEEK,
    "zeek json": ZEEK_JSON,
    "argus": ARGUS,
    "argus ctu": CTU,
    "nfdump": NFDUMP,
    "nfdump new": NFDUMP_NEW,
    "cidds": CIDDS,
    "cicflowmeter": CIC,
    "ugr": UGR,
    "suricata": SURICATA,
    "suricata netflow": SURICATA_NETFLOW,
}
"""One of each; the first word is the name of the format."""
