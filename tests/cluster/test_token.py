"""The secret of a cluster."""

import os
import stat
from pathlib import Path

import pytest

from cluster import ClusterError
from cluster.token import checked_token, make_token


def test_a_token_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = make_token(tmp_path / "new" / "token")
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(text) == 64
    assert make_token(path).read_text() == text
    assert checked_token(path) == path
    assert make_token(tmp_path / "other").read_text() != text


def test_a_token_that_others_may_read_is_refused_with_the_remedy(tmp_path):
    path = make_token(tmp_path / "token")
    path.chmod(0o640)
    with pytest.raises(ClusterError, match=r"must have mode 0600, but has 0640; run `chmod 600"):
        checked_token(path)


def test_missing_and_short_tokens_are_refused(tmp_path):
    with pytest.raises(ClusterError, match="cannot be read"):
        checked_token(tmp_path / "absent")
    (tmp_path / "short").write_text("secret")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(ClusterError, match="at least 32 characters, but has 6") as refused:
        checked_token(tmp_path / "short")
    assert "secret" not in str(refused.value)


def test_a_token_that_is_no_file_is_waited_for_by_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(ClusterError, match="not a regular file"):
            checked_token(path)
