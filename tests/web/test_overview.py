"""What a person reads first."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session, select

from monitor.core.incidents import Cause, Direction, State
from monitor.core.placements import Placement
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.tables import SightingRow
from tests.web.conftest import Make, Site
from tests.web.worlds import (
    HOUR,
    NAMES,
    NOW,
    World,
    provider_incident,
    sender_incident,
    silent,
    story,
    unseen,
    well,
)

Sites = Callable[[Make], Site]


def all_well(world: World) -> None:
    world.begin()
    world.rounds(well)


def nothing(world: World) -> None:
    world.begin(providers=())


def one_unseen_test(world: World) -> None:
    world.begin()
    world.send("contoso", NOW - timedelta(minutes=1), unseen)


def only_silence(world: World) -> None:
    world.begin()
    world.rounds(silent, hours=4)


def recovering(world: World) -> None:
    world.begin()
    world.rounds(well, hours=10)
    world.tell(*provider_incident(world.tests[:3], until=State.RECOVERING))


def over(world: World) -> None:
    world.begin()
    world.rounds(well, hours=10)
    world.tell(*provider_incident(world.tests[:3], until=State.CLOSED))


def long_over(world: World) -> None:
    world.begin()
    world.rounds(well, hours=10)
    events = provider_incident(world.tests[:3], until=State.CLOSED)
    world.tell(*(replace(event, at=event.at - 72 * HOUR) for event in events))


def healed(world: World) -> None:
    """Half of Microsoft's mail was lost until four hours ago."""

    def fate(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
        is_lost = number % 2 and at < NOW - 4 * HOUR
        return [Placement.QUARANTINE if provider == "microsoft365" and is_lost else Placement.INBOX]

    world.begin()
    world.rounds(fate, hours=8)
    events = provider_incident(world.tests[:3], until=State.CLOSED)
    world.tell(*events)


def test_a_healthy_week_reads_as_normal_at_every_provider(site_of: Sites) -> None:
    page = site_of(all_well).visit("/")
    assert page.one("h1").text == "All 8 providers deliver normally."
    states = [page.section("Providers").row(name)[0] for name in NAMES.values()]
    assert all("normal" in state for state in states)


def test_a_share_is_shown_with_its_interval_and_what_its_copies_are_worth(site_of: Sites) -> None:
    """60 tests with 4 copies each are worth 4 / (1 + 3 rho) each, not 4."""
    cells = site_of(all_well).visit("/").section("Providers").row("GMX")
    assert cells[1] == "100 % likely 98–100 % 236 of 236 copies, worth 174"


def test_mail_in_a_tab_has_arrived_and_is_said_to_be_in_a_tab(site_of: Sites) -> None:
    cells = site_of(all_well).visit("/").section("Providers").row("Gmail")
    assert cells[1].startswith("100 %")
    assert cells[1].endswith("118 of them in a tab")


def test_the_first_sentence_names_provider_cause_and_fault(site_of: Sites) -> None:
    page = site_of(story).visit("/")
    assert page.one("h1").text.startswith("Microsoft 365 is quarantining mail that links to")
    assert "The provider’s fault, not yours" in page.section("Microsoft 365").text


def test_an_open_incident_says_what_to_do(site_of: Sites) -> None:
    told = site_of(story).visit("/").section("Microsoft 365").text
    assert "Leave links to lnk.example.net out of mail to Microsoft 365" in told
    assert "Pause this sender’s campaigns until it is mended." in told


def test_an_open_incident_says_how_sure_it_is_in_words_and_as_a_number(site_of: Sites) -> None:
    assert "very likely 97 %" in site_of(story).visit("/").section("Microsoft 365").text


def test_the_provider_in_trouble_stands_on_top_of_the_table(site_of: Sites) -> None:
    rows = site_of(story).visit("/").section("Providers").one("table", class_="grid").all("tr")
    assert rows[1].text.startswith("Microsoft 365 trouble")


def test_what_was_removed_after_delivery_is_said_so(site_of: Sites) -> None:
    cells = site_of(story).visit("/").section("Providers").row("Microsoft 365")
    assert cells[1].startswith("64 % → then 59 %")
    assert cells[5] == "12 5 % after delivery"


def test_a_sender_in_trouble_does_not_make_its_providers_abnormal(site_of: Sites) -> None:
    assert "normal" in site_of(story).visit("/").section("Providers").row("Yahoo")[0]


def test_an_empty_installation_says_so_and_how_to_begin(site_of: Sites) -> None:
    page = site_of(nothing).visit("/")
    assert page.one("h1").text == "Nothing has been tested yet, so nothing is known."
    assert "seedwatch seeds import FILE.csv" in page.text
    assert "0 %" not in page.text


def test_a_test_that_nobody_has_seen_yet_is_no_data_and_not_zero(site_of: Sites) -> None:
    page = site_of(one_unseen_test).visit("/")
    assert page.one("h1").text == "No data yet: no look into a mailbox has told anything."
    assert "32 copies are on the way." in page.text
    assert "0 %" not in page.text
    assert page.section("Providers").row("Gmail")[1] == "no data"
    assert page.section("Providers").row("Gmail")[-1] == "4 pending"


def test_mailboxes_that_cannot_be_read_are_no_data_and_never_missing(site_of: Sites) -> None:
    page = site_of(only_silence).visit("/")
    cells = page.section("Providers").row("iCloud")
    assert "no data" in cells[0]
    assert cells[1] == "no data"
    assert cells[-1] == "20 pending, 20 unknown"
    assert cells[7] == "– no data"


def test_a_mailbox_that_fails_again_and_again_is_named_with_its_reason(site_of: Sites) -> None:
    told = site_of(only_silence).visit("/").section("Test mailboxes").text
    assert told.startswith("Test mailboxes 16 of 32 mailboxes could be read")
    assert "seed1@corporate.lab.example" in told
    assert "sign-in refused" in told


def test_a_recovery_is_said_and_says_what_to_do_now(site_of: Sites) -> None:
    page = site_of(recovering).visit("/")
    assert "Mail arrives again. Send what you held, a part first" in page.text
    assert "recovering" in page.section("Providers").row("Microsoft 365")[0]


def test_an_incident_that_is_just_over_stands_below_the_verdict_and_not_twice(
    site_of: Sites,
) -> None:
    page = site_of(over).visit("/")
    assert page.one("h1").text == "All 8 providers deliver normally."
    told = page.section("All 8 providers").text
    assert "The provider’s fault, not yours closed Microsoft 365" in told
    assert "What was held back because of this can go out, a part of it first." in told
    assert "closed" not in page.section("Recent incidents").text


def test_an_incident_that_was_over_days_ago_stands_among_the_recent_ones_only(
    site_of: Sites,
) -> None:
    page = site_of(long_over).visit("/")
    assert "closed" not in page.section("All 8 providers").text
    assert "closed" in page.section("Recent incidents").text


def test_a_suspicion_that_came_to_nothing_is_no_recovery(site_of: Sites) -> None:
    def dropped(world: World) -> None:
        world.begin()
        world.rounds(well, hours=10)
        suspected, *_, closed = provider_incident(world.tests[:3], until=State.CLOSED)
        world.tell(suspected, closed)

    page = site_of(dropped).visit("/")
    assert "can go out" not in page.text
    assert "incident over" not in page.section("Providers").row("Microsoft 365")[0]


def test_a_provider_is_normal_again_although_its_bad_copies_are_still_counted(
    site_of: Sites,
) -> None:
    """The judge has seen good mail since; the share says what became of the copies before."""
    providers = site_of(healed).visit("/").section("Providers")
    cells = providers.row("Microsoft 365")
    assert "normal incident over" in cells[0]
    assert cells[1].startswith("75 %")
    assert providers.one("table", class_="grid").all("tr")[1].text.startswith("Microsoft 365")


def test_shares_that_a_sender_in_trouble_lowers_are_explained(site_of: Sites) -> None:
    told = site_of(story).visit("/").section("Providers").text
    assert "Every share includes the mail of Northwind, which is in trouble of its own." in told
    assert "in trouble of its own" not in site_of(all_well).visit("/").text


def test_alerts_say_when_and_to_whom_they_went(site_of: Sites) -> None:
    told = site_of(story).visit("/").section("Alerts").text
    assert "Sent 11 h ago by email to marketing-" in told


def test_alerts_with_the_same_words_are_one_line(site_of: Sites) -> None:
    def told_to_many(world: World) -> None:
        world.begin()
        with Session(world.engine) as session:
            event = provider_incident([])[1]
            row = saved(incidents.append(session, event).id)
            for number in range(5):
                world.alert(session, event, row, number)
            session.commit()

    told = site_of(told_to_many).visit("/").section("Alerts")
    assert len(told.all("li")) == 1
    assert told.text.endswith("@example.org and 2 more")


def test_latest_tests_show_how_far_they_have_come(site_of: Sites) -> None:
    told = site_of(story).visit("/").section("Latest tests").text
    assert "Northwind news Northwind 0 of 32 copies arrived" in told


def test_the_lines_stand_as_numbers_too(site_of: Sites) -> None:
    table = site_of(story).visit("/").section("Providers").one("table", class_="plain")
    heads = [h.text for h in table.all("th", scope="col")]
    assert heads[:2] == ["Sent from", "Microsoft 365"]
    assert table.row("1 Mar 2026, 18:00 UTC")[1] == "40 % n 20"


def test_every_line_has_a_text_that_says_the_same(site_of: Sites) -> None:
    lines = site_of(story).visit("/").all("svg", class_="spark")
    assert lines[0].attributes["aria-label"] == (
        "Microsoft 365, share arriving over 42 h: lowest 40 %, latest 40 %, 20 points"
    )


def test_the_window_can_be_chosen_and_an_unknown_one_is_ignored(site_of: Sites) -> None:
    site = site_of(all_well)
    week = site.visit("/?window=72h").section("Providers").row("GMX")[1]
    assert week == "100 % likely 99–100 % 400 of 400 copies, worth 294"
    odd = site.visit("/?window=%ff<x>").section("Providers").row("GMX")[1]
    assert "236 of 236" in odd


def test_tests_of_last_week_widen_the_window_and_are_called_old(site_of: Sites) -> None:
    """Health is affirmed, never inferred from silence."""

    def long_ago(world: World) -> None:
        world.begin(providers=("gmail",))
        world.send("contoso", NOW - 100 * HOUR, well)

    page = site_of(long_ago).visit("/")
    assert page.one("h1").text == "Nothing new is known: the latest useful look was 4 d ago."
    assert page.one("nav", class_="windows").one("a", aria_current="true").text == "14 d"
    assert "old data" in page.section("Providers").row("Gmail")[0]


def test_a_provider_that_we_cannot_read_any_more_is_not_counted_as_normal(site_of: Sites) -> None:
    """Its copies were in the inbox two days ago; since then every look failed."""

    def blinded(world: World) -> None:
        world.begin(providers=("gmail", "gmx"))
        both = world.seeds
        world.seeds = [seed for seed in both if seed[1] == "gmail"]
        world.rounds(well, hours=4)
        world.seeds = [seed for seed in both if seed[1] == "gmx"]
        fate = [Placement.INBOX, *[Placement.UNKNOWN] * 60]
        world.send("contoso", NOW - 48 * HOUR, lambda *_: fate)

    page = site_of(blinded).visit("/?window=72h")
    assert page.one("h1").text == (
        "1 of 2 providers deliver normally; the others have no fresh data."
    )
    assert "old data" in page.section("Providers").row("GMX")[0]


def test_a_broken_seed_does_not_hide_how_mail_arrives(site_of: Sites) -> None:
    def seed_trouble(world: World) -> None:
        world.begin()
        world.rounds(well, hours=8)
        event = sender_incident([])[0]
        world.tell(replace(event, cause=Cause.SEED, sentence="A mailbox is broken.", hit=()))

    page = site_of(seed_trouble).visit("/")
    assert page.one("h1").text == "All 8 providers deliver normally."
    assert page.all("h2")[0].text == "A mailbox is broken."


def test_a_filter_that_becomes_milder_is_nobodys_fault(site_of: Sites) -> None:
    def milder(world: World) -> None:
        world.begin()
        world.rounds(well, hours=8)
        world.tell(*[replace(e, direction=Direction.BETTER) for e in provider_incident([])])

    page = site_of(milder).visit("/")
    assert page.one("h1").text == "All 8 providers deliver normally."
    assert "A filter that has become milder" in page.text
    assert "Nothing needs to be done" in page.text
    assert not page.all("tr", class_="state-trouble")


def test_scores_that_rise_leave_the_word_of_their_provider_alone(site_of: Sites) -> None:
    def stricter(world: World) -> None:
        world.begin()
        world.rounds(well, hours=8)
        world.tell(replace(provider_incident([])[0], gauge="scl"))

    page = site_of(stricter).visit("/")
    assert page.one("h1").text == "All 8 providers deliver normally."
    assert "Perhaps a filter that has become stricter" in page.text


def test_late_mail_is_trouble_of_its_provider(site_of: Sites) -> None:
    def late(world: World) -> None:
        world.begin()
        world.rounds(well, hours=8)
        world.tell(
            *[replace(e, cause=Cause.PROVIDER, gauge="delay_h") for e in provider_incident([])]
        )

    page = site_of(late).visit("/")
    assert "The provider’s delay, not yours" in page.text
    assert page.all("tr", class_="state-trouble")


def test_what_became_part_of_another_incident_is_not_called_over(site_of: Sites) -> None:
    def joined(world: World) -> None:
        world.begin()
        world.rounds(well, hours=8)
        *life, end = provider_incident([], until=State.CLOSED)
        world.tell(*life, replace(end, part_of="other-1"))

    page = site_of(joined).visit("/")
    assert "incident over" not in page.text
    assert "can go out" not in page.text


def test_copies_placed_by_the_mailbox_itself_are_in_no_rate(site_of: Sites) -> None:
    def listed(world: World) -> None:
        world.begin(providers=("outlook",))
        world.send("contoso", NOW - 3 * HOUR, well)
        with Session(world.engine) as session:
            for look in session.exec(select(SightingRow).where(SightingRow.copy_id == 1)):
                look.contaminated = True
                session.add(look)
            session.commit()

    cells = site_of(listed).visit("/").section("Providers").row("Outlook.com")
    assert cells[1].endswith("3 of 3 copies, worth 2.4")
    assert cells[-1] == "1 contaminated"


def test_much_missing_mail_without_an_incident_is_not_called_normal(site_of: Sites) -> None:
    def lost(world: World) -> None:
        world.begin(providers=("gmx", "yahoo"))
        world.rounds(lambda _s, p, _n, _at: [Placement.MISSING if p == "gmx" else Placement.INBOX])

    page = site_of(lost).visit("/")
    assert page.one("h1").text == (
        "1 of 2 providers deliver normally; much of the mail to GMX does not arrive."
    )
    assert "mixed" in page.section("Providers").row("GMX")[0]
