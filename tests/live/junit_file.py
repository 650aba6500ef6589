"""JUnit files as CI reads them: held against the schema first."""

from pathlib import Path

from lxml import etree

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "fixtures" / "junit" / "junit.xsd"))


def cases(path: Path) -> dict[str, list[str]]:
    """The test cases of a file that keeps to the schema, each with how it ended; nothing where it passed."""
    document = etree.parse(path)
    SCHEMA.assertValid(document)
    return {case.get("name"): [child.tag for child in case] for case in document.iter("testcase")}
