"""Takes the place of an agent of a private Ray that nothing uses: does nothing until the process that began it ends.

Run as a script, with nothing of craftc imported.
"""

import os
import time

if __name__ == "__main__":
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
