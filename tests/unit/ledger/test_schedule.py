"""What the worker must not forget: each fact by its topic and name, however many there are."""

from __future__ import annotations

import pytest

from migrator.ledger import Ledger, schedule


def test_facts_are_there_one_by_one_and_all_together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ledger.state_store
    facts: dict[str, dict[str, object]] = {f"user{number}": {"number": number} for number in range(7)}
    monkeypatch.setattr(schedule, "PAGE", 3)  # a page that is full, and a last one that is not
    store.put("other", "user1", {"number": -1})
    store.put_all("topic", facts)
    assert list(store.each("topic")) == sorted(facts.items())
    assert store.get_all("topic") == facts
    store.put_all("topic", {"user3": {"number": 30}, "user9": {}})
    store.delete("topic", "user0")
    assert [name for name, _ in store.each("topic")] == [*(f"user{number}" for number in range(1, 7)), "user9"]
    assert dict(store.each("topic"))["user3"] == {"number": 30}
    assert list(store.each("nothing")) == []


def test_several_facts_are_written_whole_or_not_at_all(ledger: Ledger) -> None:
    store = ledger.state_store
    with pytest.raises(TypeError):
        store.put_all("topic", {"a": {"x": 1}, "b": {"x": object()}})
    assert store.get_all("topic") == {}
