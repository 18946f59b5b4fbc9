"""What a refusal looks like."""

from __future__ import annotations

from results.errors import ExitCode


def refused(done, *texts):
    """Exit code 2, one line on stderr, nothing on stdout."""
    code, out, err = done
    assert code == ExitCode.USAGE, (out, err)
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("chipmark: error: ")
    for text in texts:
        assert text in err, err
