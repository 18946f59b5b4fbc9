"""A backend that goes wrong on demand: ``options.fault`` says how, ``options.at`` says
when: ``prepare``, or so many seconds after it."""

import ctypes
import os
import signal
import sys
import time

from chipmark_example.backend import ExampleBackend, ExampleStep
from results.records import Device

KNOWN_OPTIONS = {"fault": str, "at": str}


def misbehave(fault):
    if fault == "raise":
        raise RuntimeError("something went wrong\nwith a second line")
    if fault == "exit":
        os._exit(7)
    if fault == "sys_exit":
        sys.exit(5)
    if fault == "segfault":
        ctypes.string_at(0)
    if fault == "abort":
        os.abort()
    if fault == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
    if fault == "sigstop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if fault == "native_hang":
        # PyDLL keeps the interpreter lock: no Python thread or signal handler can run.
        ctypes.PyDLL(None).sleep(3600)
    if fault == "memory_error":
        bytearray(1 << 62)
    if fault == "orphan" and os.fork() == 0:
        time.sleep(3600)
    if fault == "stop_server":
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(3600)
    if fault == "tell":
        with open("/proc/self/oom_score_adj") as file:
            print("oom_score_adj", file.read(), flush=True)
    if fault == "print":
        os.write(1, b"library noise on stdout\n")
        print("more noise", flush=True)


class FaultyStep(ExampleStep):
    def __init__(self, seed, size, fault, at):
        super().__init__(seed, size)
        self.fault = fault
        if fault == "bad_fact_key":
            self.facts = {1: "not text"}
        if fault == "bad_memory":
            self.facts = {"peak_memory_bytes": True}
        if fault == "bad_export":
            self.facts = {"export_s": "slow"}
        self.due = None if at == "prepare" else time.monotonic() + float(at)

    def run(self, i):
        super().run(i)
        if self.due and time.monotonic() > self.due:
            self.due = None
            misbehave(self.fault)

    def outputs(self):
        if self.fault == "nan":
            return {"loss": super().outputs()["loss"] * float("nan")}
        if self.fault == "wrong":
            return {"loss": super().outputs()["loss"] * 1.5}
        return super().outputs()


class FaultyBackend(ExampleBackend):
    name = "example-faults"

    def devices(self):
        wanted = os.environ.get("EXAMPLE_FAULTY_DEVICES")
        if wanted == "text":
            return ["not a device"]
        if wanted == "nameless":
            return [Device(id="", backend=self.name, kind="faulty", name="Faulty chip")]
        if wanted == "exit":
            os._exit(3)
        if wanted == "slow":
            time.sleep(3600)
        return [Device(id="faulty:0", backend=self.name, kind="faulty", name="Faulty chip")]

    def prepare(self, workload, case, device):
        fault, at = case.options.get("fault"), case.options.get("at", "prepare")
        if at == "prepare":
            misbehave(fault)
        return FaultyStep(case.seed, case.shape["numbers"], fault, at)
