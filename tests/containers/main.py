"""Runs the tests, or those whose names are given; the last line counts them."""

import sys
import unittest

loader = unittest.TestLoader()
loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]] or None
result = unittest.TextTestRunner(verbosity=2).run(loader.discover("."))
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
passed = max(result.testsRun - failed - len(result.skipped), 0)
print(f"{passed} passed, {failed} failed" + (f", {len(result.skipped)} skipped" if result.skipped else ""), flush=True)
sys.exit(0 if result.wasSuccessful() else 1)
