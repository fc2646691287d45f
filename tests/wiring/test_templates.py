"""A template that names what is not there fails at start, and says where."""

from pathlib import Path

import pytest

from monitor.core.errors import BadInputError
from monitor.wiring.templates import check_templates


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder


def test_our_own_templates_name_nothing_that_is_not_there() -> None:
    check_templates()


@pytest.mark.parametrize(
    ("name", "text", "line", "named"),
    [
        ("mail/incident/subject.txt", "Acme:\n{{ veiw.provider }}", 2, "veiw"),
        ("mail/incident/subject.txt", "{% if 0 %}\n\n{{ view.providr }}{% endif %}", 3, "providr"),
        ("mail/digest/subject.txt", "{{ view.provider }}", 1, "view.provider"),
        ("mail/recovered/body.txt", "\n{{ say.lead }}", 2, "say.lead"),
        (
            "mail/trial/body.txt",
            '{% import "mail/words.txt" as words %}\n{{ words.percnt(1) }}',
            2,
            "words.percnt",
        ),
        ("mail/incident/body.html", "{{ view.cause }}\n{% wrong %}", 2, "wrong"),
        ("mail/incident/body.html", "{{ view.cause|shout }}", 1, "shout"),
        ("web/overview.html", "{% wrong %}", 1, "wrong"),
    ],
)
def test_an_undefined_name_is_told_with_its_file_and_line(
    tmp_path: Path, name: str, text: str, line: int, named: str
) -> None:
    own = write(tmp_path, name, text)
    with pytest.raises(BadInputError) as raised:
        check_templates(own)
    assert f"{tmp_path / name}, line {line}" in str(raised.value)
    assert named in str(raised.value)


def test_what_a_template_may_name_is_found_right(tmp_path: Path) -> None:
    text = (
        '{% import "mail/words.txt" as words %}{% set mine = 1 %}'
        "{{ say.lead[0] }} {{ view.provider }} {{ mine }} {{ words.percent(1) }}"
    )
    check_templates(write(tmp_path, "mail/incident/subject.txt", text))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not a folder"):
        check_templates(tmp_path / "none")
