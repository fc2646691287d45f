"""The pages behind the first one: tests, incidents, errors."""

from collections.abc import Callable
from dataclasses import replace

from monitor.core.incidents import Evidence, Reading, State
from tests.web.conftest import Make, Site
from tests.web.worlds import (
    HOUR,
    NOW,
    World,
    provider_incident,
    sender_incident,
    story,
    unseen,
    well,
)

Sites = Callable[[Make], Site]
INCIDENT = "/incidents/microsoft365/2026-03-01T18"


def hit_test(site: Site) -> str:
    """The newest test that the Microsoft incident hits, for which there is evidence."""
    return f"/tests/{[uid for n, uid in enumerate(site.world.tests) if n % 5 < 3][-1]}"


def many_tests(world: World) -> None:
    world.begin(providers=("gmail",), each=1)
    for back in range(60, 0, -1):
        world.send("contoso", NOW - back * HOUR, well)


def many_copies(world: World) -> None:
    world.begin(providers=("gmail", "gmx"), each=130)
    world.send("contoso", NOW - 5 * HOUR, well, name="Large")


def many_incidents(world: World) -> None:
    world.begin(providers=("gmail",), each=1)
    for n in range(60):
        for event in provider_incident([], until=State.CLOSED):
            world.tell(replace(event, incident=f"i{n:03d}"))


def test_a_test_names_its_campaign_sender_and_seed_list(site_of: Sites) -> None:
    site = site_of(story)
    page = site.visit(hit_test(site))
    assert page.one("h1").text == "Contoso news"
    told = page.one("dl", class_="facts row").text
    assert "Subject Spring offers" in told
    assert "Seed list all, version 1" in told


def test_a_test_says_first_what_came_of_it(site_of: Sites) -> None:
    site = site_of(story)
    told = site.visit(hit_test(site)).one("section", id="outcome").text
    assert told == "28 of 32 copies arrived; 4 went to quarantine at Microsoft 365."


def test_the_provider_where_a_test_fared_worst_stands_on_top(site_of: Sites) -> None:
    site = site_of(story)
    rows = site.visit(hit_test(site)).section("By provider").all("tr")
    assert [rows[n].text.split(" ")[0] for n in (1, 2)] == ["Microsoft", "Corporate"]


def test_a_test_shows_first_and_current_share_at_each_provider(site_of: Sites) -> None:
    site = site_of(story)
    cells = site.visit(hit_test(site)).section("By provider").row("Microsoft 365")
    assert cells[1] == "0 % likely 0–57 % 0 of 4 copies, worth 2.9"
    assert cells[5] == "4 100 %"


def test_a_copy_tells_its_whole_story_in_order(site_of: Sites) -> None:
    site = site_of(story)
    uid = next(uid for n, uid in enumerate(site.world.tests) if n % 5 == 1 and 60 <= n < 65)
    page = site.visit(f"/tests/{uid}?provider=microsoft365")
    copy = page.all("details", class_="copy")[0]
    assert "inbox → then removed removed after delivery" in copy.one("summary").text
    steps = [step.text for step in copy.one("ol").all("li")]
    assert [step.split(" UTC ", 1)[1] for step in steps] == [
        "handed over 250 2.0.0 queued",
        "seen in the inbox 2 times, until 1 Mar 2026, 17:03 UTC folder INBOX",
        "removed after delivery 4 times, until 1 Mar 2026, 21:03 UTC",
    ]


def test_evidence_is_told_in_words(site_of: Sites) -> None:
    site = site_of(story)
    page = site.visit(hit_test(site) + "?provider=microsoft365")
    told = page.all("details", class_="copy")[0].one("dl").text
    assert told.startswith("SPF pass DKIM pass DMARC pass COMPAUTH pass reason 100")
    assert "Filter microsoft phish high-confidence phishing; scl 9, cat HPHSH, sfv SPM" in told
    assert "Time on the way 12 s" in told


def test_links_say_what_a_click_gets_at_each_provider(site_of: Sites) -> None:
    site = site_of(story)
    links = site.visit(hit_test(site)).section("Links as readers get them")
    assert links.row("Microsoft 365")[2] == "blocked the provider shows a warning page"
    assert links.row("Gmail")[2].startswith("ok")


def test_a_test_names_the_incidents_that_it_shows(site_of: Sites) -> None:
    site = site_of(story)
    related = site.visit(hit_test(site)).section("Incidents that this test shows")
    assert "Microsoft 365 is quarantining mail" in related.text


def test_a_test_that_nobody_has_seen_shows_no_share(site_of: Sites) -> None:
    def fresh(world: World) -> None:
        world.begin(providers=("gmail",), each=2)
        world.send("contoso", NOW - HOUR / 60, unseen)

    page = site_of(fresh).visit("/tests/t0001")
    assert page.section("By provider").row("Gmail")[1] == "no data"
    assert "0 %" not in page.text


def test_copies_are_turned_page_by_page(site_of: Sites) -> None:
    site = site_of(many_copies)
    first = site.visit("/tests/t0001")
    assert len(first.all("details", class_="copy")) == 20
    assert first.one("nav", aria_label="More copies").text == "Page 1 of 13 Next"
    last = site.visit("/tests/t0001?page=13")
    assert len(last.all("details", class_="copy")) == 20


def test_copies_of_one_provider_can_be_shown_alone(site_of: Sites) -> None:
    page = site_of(many_copies).visit("/tests/t0001?provider=gmx&page=2")
    assert page.section("130 copies at GMX").all("details")[0].text.startswith("seed")
    assert page.one("nav", aria_label="More copies").text == "Page 2 of 7 Back Next"


def test_pages_that_do_not_exist_are_empty_and_not_an_error(site_of: Sites) -> None:
    page = site_of(many_copies).visit("/tests/t0001?page=99999999999999999999&provider=nobody")
    assert "No copy here." in page.text


def test_the_list_of_tests_goes_back_in_time(site_of: Sites) -> None:
    site = site_of(many_tests)
    page = site.visit("/tests")
    assert len(page.all("tr")) == 1 + 25
    older = page.one("nav", aria_label="More tests").one("a")
    assert older.text == "Older tests"
    end = site.visit("/tests?before=11")
    assert [a.text for a in end.one("nav", aria_label="More tests").all("a")] == ["Newest tests"]
    assert len(end.all("tr")) == 1 + 10


def test_an_incident_shows_verdict_confidence_and_since_when(site_of: Sites) -> None:
    verdict = site_of(story).visit(INCIDENT).section("Microsoft 365 is quarantining")
    assert "The provider’s fault, not yours confirmed" in verdict.text
    assert "Ahead of MO255463 8 h before Microsoft 365 said so" in verdict.text
    assert "Since 1 Mar 2026, 18:00 UTC between 17:00 and 18:30 UTC" in verdict.text
    assert "How sure very likely 97 %" in verdict.text


def test_an_incident_shows_who_is_hit_and_who_is_spared_with_intervals(site_of: Sites) -> None:
    evidence = site_of(story).visit(INCIDENT).section("The evidence")
    assert evidence.row("Northwind northwind.example.org")[1:] == [
        "22 92 %",
        "24",
        "10.6",
        "68–98 %",
        "2 %",
    ]
    assert evidence.row("Tailspin")[1:] == ["0 0 %", "24", "10.6", "0–27 %", "2 %"]
    assert evidence.row("Gmail")[1:4] == ["1 1 %", "96", "42"]
    assert "senders hit were found: 60 quarantine, 6 removed." in evidence.text


def test_a_spared_sender_with_trouble_of_its_own_is_said_to_have_it(site_of: Sites) -> None:
    """Its mail does not arrive either; unexplained, that would read as a contradiction."""

    def apart(world: World) -> None:
        world.begin(providers=("microsoft365",), each=1)
        hit, spared = provider_incident([])[0].evidence.hit, []
        events = [
            replace(event, evidence=replace(event.evidence, hit=hit[1:], spared=(*spared, hit[0])))
            for event in provider_incident([])
        ]
        world.tell(*events, *sender_incident([]))

    part = site_of(apart).visit(INCIDENT).section("The evidence").all("div", class_="part")[1]
    assert part.row("Northwind northwind.example.org has trouble of its own")[1] == "22 92 %"
    (link,) = part.all("a")
    assert link.attributes["href"] == "/incidents/northwind.example.org/2026-03-01T19"


def test_controls_are_named_for_people(site_of: Sites) -> None:
    def controlled(world: World) -> None:
        world.begin(providers=("microsoft365",), each=1)
        event = provider_incident([])[0]
        (tally, *_) = event.evidence.controls
        named = replace(tally, name="without url:lnk.example.net")
        world.tell(replace(event, evidence=replace(event.evidence, controls=(named,))))

    evidence = site_of(controlled).visit(INCIDENT).section("The evidence")
    assert evidence.row("Mail without links to lnk.example.net at Microsoft 365")[1] == "1 1 %"


def test_late_mail_is_told_in_hours_for_senders_and_for_the_same_mail_elsewhere(
    site_of: Sites,
) -> None:
    def late(world: World) -> None:
        world.begin(providers=("microsoft365",), each=1)
        event = provider_incident([])[0]
        readings = (
            Reading("northwind.example.org", "delay_h", 3, 0.05, 2.25, is_hit=True),
            Reading("gmail", "delay_h", 3, 0.05, 0.05, is_control=True),
        )
        world.tell(replace(event, gauge="delay_h", evidence=Evidence(readings=readings)))

    evidence = site_of(late).visit(INCIDENT).section("The evidence")
    assert evidence.row("Northwind northwind.example.org")[1:] == ["2 h 15 min", "3 min", "3"]
    assert evidence.row("Gmail")[1:] == ["3 min", "3 min", "3"]
    assert "Not arrived" not in evidence.text


def test_times_in_a_sentence_look_like_all_other_times(site_of: Sites) -> None:
    told = site_of(story).visit(INCIDENT).one("h1")
    assert "3 of 3 senders hit since 1 Mar 2026, 18:00 UTC. It is not you." in told.text
    assert told.one("time").attributes["datetime"] == "2026-03-01T18:00:00Z"


def test_an_incident_tells_how_it_went_with_reasons(site_of: Sites) -> None:
    steps = site_of(story).visit(INCIDENT).section("How it went").all("li")
    assert [step.text for step in steps] == [
        (
            "1 Mar 2026, 19:30 UTC suspected first hits "
            "Cause: the provider, over one part of the mail 71 %; the sender 20 %"
        ),
        (
            "1 Mar 2026, 20:30 UTC confirmed all agree "
            "Cause: the provider, over one part of the mail 97 %; the provider as a whole 2 %"
        ),
    ]


def test_an_incident_says_how_long_before_the_advisory_it_was_seen(site_of: Sites) -> None:
    told = site_of(story).visit(INCIDENT).section("What Microsoft 365 said").text
    assert "We saw it 8 h before MO255463 was published." in told
    assert "start given as 1 Mar 2026, 18:00 UTC. Not resolved" in told


def test_an_incident_lists_its_tests_and_alerts(site_of: Sites) -> None:
    page = site_of(story).visit(INCIDENT)
    assert page.section("Affected tests").text.endswith("The newest 10 of 21.")
    assert "by email to marketing-microsoft365" in page.section("Alerts").text


def test_a_sender_incident_speaks_of_no_provider(site_of: Sites) -> None:
    page = site_of(story).visit("/incidents/northwind.example.org/2026-03-01T19")
    assert "This sender’s own mail" in page.text
    assert not [h for h in page.all("h2") if h.text.startswith("What ") and "said" in h.text]


def test_incidents_are_listed_open_ones_first(site_of: Sites) -> None:
    page = site_of(story).visit("/incidents")
    opened = [a.text for a in page.section("Open").all("a")]
    assert [words.split(" ")[0] for words in opened] == ["Microsoft", "Mail"]
    assert "None yet." in page.section("Closed").text


def test_closed_incidents_are_turned_page_by_page(site_of: Sites) -> None:
    page = site_of(many_incidents).visit("/incidents?page=3")
    assert len(page.section("Closed").all("li")) == 10
    assert page.one("nav", aria_label="More incidents").text == "Page 3 of 3 Newer"


def test_what_does_not_exist_is_a_page_in_our_own_words(site_of: Sites) -> None:
    for path in ("/tests/none", "/incidents/none", "/nothing/here", "/tests/%00%ff"):
        answer = site_of(story).client.get(path)
        assert answer.status_code == 404, path
        assert "There is no such page." in answer.text
