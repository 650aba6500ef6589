"""Names that become folders: what is no plain part of a path is refused."""

import pytest

from floodmark.core.names import prove_plain_name
from floodmark.core.published import PublishedCeiling, PublishedRate
from floodmark.core.target import StartSpec, TargetSpec


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", "/etc", ".hidden", "a\nb", "a\0b", " a", "x" * 101]
)
def test_what_is_no_plain_part_of_a_path_is_no_name(name):
    with pytest.raises(ValueError, match="becomes a folder's name"):
        prove_plain_name("name", name)
    with pytest.raises(ValueError, match="name"):
        TargetSpec(name=name, summary="", start=StartSpec(command=("x",)))
    for record in (PublishedCeiling, PublishedRate):
        with pytest.raises(ValueError, match="row"):
            record(row=name)


@pytest.mark.parametrize("name", ["T5", "flask-dev", "a..b", "my server_2.0"])
def test_other_names_are_taken(name):
    prove_plain_name("name", name)
