"""Faults: processes killed, disks full or read-only, inputs broken; `run` counts what is lost."""
