import json
import os
import stat
import tempfile
import threading
import unittest
from pathlib import Path

from proxygateway_device_auth import DeviceAuthError, device_id_of, generate_key, load_key_file


class KeyFileTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def refusal(self, path):
        with self.assertRaises(DeviceAuthError) as raised:
            load_key_file(path)
        self.assertEqual(raised.exception.code, "key_unusable")
        return raised.exception

    def test_a_file_is_its_owners_alone_whatever_the_umask_is_and_holds_the_same_device_the_next_time(self):
        self.addCleanup(os.umask, os.umask(0))
        for algorithm in ("Ed25519", "ES256"):
            path = self.folder / "new" / algorithm / "key.json"
            key = load_key_file(path, algorithm)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(os.listdir(path.parent), ["key.json"])
            self.assertEqual(key.algorithm, algorithm)
            self.assertEqual(json.loads(path.read_text())["deviceId"], device_id_of(key))
            self.assertEqual(load_key_file(path).public_key, key.public_key)
            self.assertEqual(len(key.sign(b"data")), 64)
            self.assertNotIn(json.loads(path.read_text())["privateKey"], repr(key) + repr(vars(key)))

    def test_threads_that_start_at_once_get_one_key(self):
        path, found = self.folder / "shared.json", []
        threads = [threading.Thread(target=lambda: found.append(load_key_file(path).public_key)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(found), len(set(found))), (20, 1))
        self.assertEqual(os.listdir(self.folder), ["shared.json"])

    def test_a_file_that_others_can_read_write_or_replace_is_refused(self):
        path = self.folder / "open.json"
        load_key_file(path)
        for mode in (0o640, 0o604, 0o620, 0o602):
            path.chmod(mode)
            self.assertIn("chmod 600", str(self.refusal(path)))
        path.chmod(0o600)
        self.folder.chmod(0o777)
        self.assertIn("chmod go-w", str(self.refusal(path)))
        self.folder.chmod(0o700)
        load_key_file(path)

    def test_a_pipe_a_folder_and_a_link_to_nowhere_are_refused(self):
        os.mkfifo(self.folder / "pipe", 0o600)
        self.assertIn("no regular file", str(self.refusal(self.folder / "pipe")))
        (self.folder / "folder").mkdir(mode=0o700)
        self.assertIn("no regular file", str(self.refusal(self.folder / "folder")))
        (self.folder / "link").symlink_to(self.folder / "nowhere")
        self.refusal(self.folder / "link")

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_another_users_file_is_refused(self):
        path = self.folder / "theirs.json"
        load_key_file(path)
        os.chown(path, 12345, 12345)
        self.assertIn("another user", str(self.refusal(path)))

    def test_a_damaged_file_is_refused_in_words_that_show_nothing_of_it(self):
        load_key_file(self.folder / "good.json")
        load_key_file(self.folder / "other.json")
        load_key_file(self.folder / "p256.json", "ES256")
        good, other, p256 = (json.loads((self.folder / name).read_text()) for name in ("good.json", "other.json", "p256.json"))
        secret = good["privateKey"]
        for content in (
            "", "{", f'{{"privateKey":"{secret}",', f'"{secret}"', "null", "[]", "[" * 9000, " " * 20_000, "\udcff",
            {**good, "version": 3}, {**good, "algorithm": "ES256"}, {**good, "publicKey": other["publicKey"]}, {**good, "privateKey": secret[4:]},
            {**good, "privateKey": 7}, {**p256, "privateKey": secret}, {**p256, "publicKey": good["publicKey"]}, {**p256, "algorithm": None},
        ):  # fmt: skip
            path = self.folder / "damaged.json"
            path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode("utf-8", "surrogateescape"))
            path.chmod(0o600)
            error = self.refusal(path)
            self.assertNotIn(secret[:8], str(error))
            self.assertEqual((error.__cause__, error.__context__), (None, None))

    def test_another_algorithm_is_refused(self):
        for make in (generate_key, lambda algorithm: load_key_file(self.folder / "x", algorithm)):
            self.assertRaises(ValueError, make, "RS256")
