"""A ClickHouse server from chDB's library: chDB itself embeds the engine without its ports, but the library also has clickhouse-local, which
can listen. Arguments: the library, the configuration file, the data folder. Ends when standard input does."""

import ctypes
import os
import sys
import threading

library, configuration, folder = sys.argv[1:]


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
statements = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP;"
    "SELECT sleepEachRow(1) FROM numbers(86400) FORMAT Null"
    " SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0"
)
arguments = ["clickhouse", f"--config-file={configuration}", f"--path={folder}", "--multiquery", "--query", statements]
run = ctypes.CDLL(library).chdb_query_cmdline
run.restype = ctypes.c_void_p
run(len(arguments), (ctypes.c_char_p * len(arguments))(*[argument.encode() for argument in arguments]))
sys.exit("clickhouse-local ended")
