"""Stands where a private Ray's agents would be, which nothing asks for anything: ends with the process that began it.

Run as a script, with nothing of craftc imported.
"""

import os
import time

if __name__ == "__main__":
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
