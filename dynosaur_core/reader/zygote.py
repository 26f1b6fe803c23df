"""The process that child processes are forked from: it has imported what they need, and never reads a file itself.

Its commands come over a socket, one at a time: `fork` with a descriptor for the new child, answered by the child's id;
`reap ID`, answered by how that child ended. At the end of the socket it ends, and all children with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys

from dynosaur_core.reader.limits import die_with_parent


def main() -> None:
    """`python -m dynosaur_core.reader.zygote FD MODULE`; the module's `serve(connection)` is what a child does."""
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()  # what is imported stays: to look through it again and again takes a fifth of the start
    serve = importlib.import_module(sys.argv[2]).serve
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # what is there already stays shared between all children
    gc.enable()
    here = os.getpid()
    while True:
        command, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not command:
            os._exit(0)
        if descriptors:
            child = os.fork()
            if child == 0:
                control.close()
                die_with_parent(here)
                serve(socket.socket(fileno=descriptors[0]))
                os._exit(0)
            os.close(descriptors[0])
            control.sendall(str(child).encode())
        else:
            _, status = os.waitpid(int(command.split()[1]), 0)
            control.sendall(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    main()
