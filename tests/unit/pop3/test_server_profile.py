from __future__ import annotations

import json

from migrator.pop3.server_profile import LONGEST_PART, MOST_LOOKS, SIZE_TRUST_BOUND, ServerProfile


def test_what_earlier_releases_kept_of_a_server_is_read_and_kept_under_the_same_keys() -> None:
    stored: dict[str, dict[str, object]] = {
        "session": {"lock_step": True, "no_capa": False, "sizes_differ": True, "stat_moves": False, "no_top": True},
        "habits": {"shows_part": True, "complete_up_to": 300, "size_trust": -4},
    }
    profile = ServerProfile.from_stored(json.loads(json.dumps(stored)))
    assert profile == ServerProfile(
        lock_step=True, sizes_differ=True, no_top=True, shows_part=True, complete_up_to=300, size_trust=-4
    )
    stored["session"]["status_form"] = None  # which they did not know
    assert profile.to_stored() == stored
    assert ServerProfile.from_stored({}) == ServerProfile()


def test_a_server_is_believed_to_announce_any_size_only_after_two_more_that_differ() -> None:
    profile = ServerProfile()
    assert not profile.announces_any_size
    assert not profile.after_sizes(fitting=0, differing=1).announces_any_size
    assert profile.after_sizes(fitting=0, differing=2).announces_any_size
    assert not profile.after_sizes(fitting=5, differing=6).announces_any_size


def test_trust_in_sizes_is_bound_so_that_it_can_be_lost_and_won_again() -> None:
    trusted = ServerProfile().after_sizes(fitting=10_000, differing=0)
    assert trusted.size_trust == SIZE_TRUST_BOUND
    assert trusted.after_sizes(fitting=1, differing=0) is trusted
    lost = trusted.after_sizes(fitting=0, differing=10_000)
    assert lost.announces_any_size
    assert not lost.after_sizes(fitting=SIZE_TRUST_BOUND, differing=0).announces_any_size


def test_a_listing_of_known_length_is_not_looked_at_twice() -> None:
    fresh = ServerProfile()
    assert fresh.wants_another_session(10, 1)
    looked = fresh.after_another_session(10, showed_new=False)
    assert not looked.wants_another_session(10, 1)
    assert not looked.wants_another_session(20, 1)
    assert looked.wants_another_session(21, 1)
    assert looked.after_another_session(5, showed_new=False).complete_up_to == 10


def test_a_listing_longer_than_any_part_is_the_whole() -> None:
    assert ServerProfile().wants_another_session(LONGEST_PART, 1)
    assert not ServerProfile().wants_another_session(LONGEST_PART + 1, 1)
    assert ServerProfile(shows_part=True).wants_another_session(LONGEST_PART + 1, 1)


def test_a_server_that_shows_parts_is_looked_at_until_nothing_new_shows() -> None:
    partial = ServerProfile().after_another_session(10, showed_new=True)
    assert partial.shows_part
    assert partial.wants_another_session(10, logins=99)


def test_what_runs_side_by_side_find_out_adds_up() -> None:
    mine = ServerProfile(complete_up_to=30, size_trust=5)
    seen = mine.joined_with(ServerProfile(shows_part=True, complete_up_to=20, size_trust=-9))
    assert seen == ServerProfile(shows_part=True, complete_up_to=30, size_trust=5)
    assert mine.joined_with(ServerProfile(complete_up_to=40)).complete_up_to == 40


def test_nobody_is_looked_at_again_once_a_run_has_logged_in_three_times() -> None:
    assert ServerProfile().wants_another_session(10, MOST_LOOKS - 1)
    assert not ServerProfile().wants_another_session(10, MOST_LOOKS)


def test_a_known_view_of_parts_is_followed_however_long_it_is() -> None:
    assert ServerProfile(shows_part=True).wants_another_session(LONGEST_PART + 1, 1)
