"""Runs every test; the last line counts them."""

import sys
import unittest

result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.discover("."))
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
passed = max(result.testsRun - failed - len(result.skipped), 0)
print(f"{passed} passed, {failed} failed" + (f", {len(result.skipped)} skipped" if result.skipped else ""), flush=True)
sys.exit(0 if result.wasSuccessful() else 1)
