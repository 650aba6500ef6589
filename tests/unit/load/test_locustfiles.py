"""The locustfiles as Locust finds them: by their bare names, as modules of their own."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from floodmark.core.profile import PROFILE_KINDS

LOCUSTFILES = Path(__file__).parents[3] / "locustfiles"


def test_there_is_one_for_each_profile():
    assert sorted(path.stem for path in LOCUSTFILES.glob("*.py")) == sorted(PROFILE_KINDS)


@pytest.mark.parametrize("kind", PROFILE_KINDS)
def test_a_locustfile_hides_no_module_and_installs_the_profile_that_it_is_named_after(kind):
    assert find_spec(kind) is None
    tree = ast.parse((LOCUSTFILES / f"{kind}.py").read_text())
    calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    assert [ast.unparse(call) for call in calls] == [f"install_profile('{kind}')"]
    assert f"locustfiles/{kind}.py --master" in (ast.get_docstring(tree) or "")
