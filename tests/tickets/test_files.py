"""Ticket folders: round trip, and every way of tampering that a forger would try."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from builders import box, target, tiny_ticket

import slth
from slth.networks.basis import Translations
from slth.networks.layers import Input, Linear
from slth.networks.npz import save_npz
from slth.networks.source import Source
from slth.tickets.layer import assemble, pack
from slth.tickets.storage import write_manifest
from slth.tickets.wiring import wiring


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tickets") / "ticket"
    tiny_ticket().save(path, page="<!doctype html><title>ticket</title>\n")
    return path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "ticket"))


def test_round_trip(saved: Path) -> None:
    before, after = tiny_ticket(), slth.Ticket.load(saved)
    assert after.source == before.source
    assert after.target == before.target
    assert after.certificate.to_json() == before.certificate.to_json()
    assert after.construction.to_json() == before.construction.to_json()
    assert after.summary() == before.summary()
    json.dumps(after.summary(), allow_nan=False)


def test_saved_twice_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    tiny_ticket().save(tmp_path / "again", page="<!doctype html><title>ticket</title>\n")
    for item in saved.iterdir():
        assert item.read_bytes() == (tmp_path / "again" / item.name).read_bytes()


def test_check_re_derives(saved: Path) -> None:
    report = slth.check(saved, target())
    assert report.bound <= 0.05
    assert report.lower_estimate <= report.bound
    assert report.inputs_checked == 20
    assert json.loads(json.dumps(report.summary()))["verdict"] == "verified"


def test_every_flipped_bit_is_noticed(copy: Path) -> None:
    """One bit in each of many places of every file, the manifest included."""
    rng = np.random.default_rng(0)
    for item in sorted(copy.iterdir()):
        original = item.read_bytes()
        places = {0, len(original) - 1, *rng.integers(0, len(original), 25).tolist()}
        for place in places:
            broken = bytearray(original)
            broken[place] ^= 1 << int(rng.integers(8))
            item.write_bytes(bytes(broken))
            with pytest.raises(slth.TicketDamaged, match=r"ticket: .+"):
                slth.check(copy)
        item.write_bytes(original)
    slth.check(copy)


def test_files_missing_extra_or_linked_are_noticed(copy: Path, tmp_path: Path) -> None:
    (copy / "note.txt").write_text("hello")
    with pytest.raises(slth.TicketDamaged, match=r"note\.txt is not in the manifest"):
        slth.check(copy)
    (copy / "note.txt").unlink()
    (copy / "deeper").mkdir()
    with pytest.raises(slth.TicketDamaged, match="deeper is not a plain file"):
        slth.check(copy)
    (copy / "deeper").rmdir()
    shutil.move(copy / "masks.npz", tmp_path / "masks.npz")
    with pytest.raises(slth.TicketDamaged, match=r"masks\.npz is missing"):
        slth.check(copy)
    (copy / "masks.npz").symlink_to(tmp_path / "masks.npz")
    with pytest.raises(slth.TicketDamaged, match=r"masks\.npz is not a plain file"):
        slth.check(copy)


def test_wrong_target_is_noticed(copy: Path) -> None:
    with pytest.raises(slth.TicketDamaged, match="the stored target is not the network given"):
        slth.check(copy, target(seed=1))
    with pytest.raises(slth.TicketDamaged, match="the stored target is not the network given"):
        slth.check(copy, target(biased=False))


def edit_json(path: Path, change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_bytes((json.dumps(record, sort_keys=True, indent=1) + "\n").encode())


def edit_arrays(path: Path, change) -> None:
    with np.load(path) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    change(arrays)
    save_npz(path, arrays)


def swap_one_edge(arrays: dict) -> None:
    """Another subset of the same size for one weight: its first kept copy for a free one of the right sign."""
    bits = arrays["edges_1"]
    kept = np.unpackbits(bits, axis=2, bitorder="little")
    used = kept.any(axis=0)
    out = int(np.flatnonzero(kept[0, 0])[0])
    into = int(np.flatnonzero((kept[0, 0] == 0) & used[0])[0])  # in use elsewhere, so of the right sign
    kept[0, 0, out], kept[0, 0, into] = 0, 1
    arrays["edges_1"] = np.packbits(kept, axis=2, bitorder="little")


def drop_one_edge(arrays: dict) -> None:
    kept = np.unpackbits(arrays["edges_2"], axis=2, bitorder="little")
    kept[0, 0, np.flatnonzero(kept[0, 0])[0]] = 0
    arrays["edges_2"] = np.packbits(kept, axis=2, bitorder="little")


def nudge(arrays: dict) -> None:
    name = next(name for name in sorted(arrays) if name.endswith("coefficients") or name.startswith("positive"))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = np.nextafter(arrays[name].flat[0], np.inf)


def claim(key: str, factor: float = 1, plus: int = 0):
    """A change of one number of the certificate."""
    return lambda record: record["certificate"].update({key: record["certificate"][key] * factor + plus})


def entry(key: str, value: float):
    """A change of the first entry of one of the certificate's lists."""
    return lambda record: record["certificate"][key].__setitem__(0, value)


def built(**changes: object):
    """A change of the construction record."""
    return lambda record: record["construction"].update(changes)


def layer(key: str, value: object = None, plus: int = 0):
    """A change of the first layer's record."""

    def change(record: dict) -> None:
        first = record["construction"]["layers"][0]
        first[key] = first[key] + plus if value is None else value

    return change


def widen(record: dict) -> None:
    record["construction"]["domain"]["high"] = [(2.0).hex()] * 3


def lower_is_bound(record: dict) -> None:
    record["certificate"]["lower_estimate"] = record["certificate"]["bound"]


def narrow(record: dict) -> None:
    record["layers"][0]["copies"] -= 1


CERTIFICATE, MASKS = "certificate.json", "masks.npz"
FORGERIES = {
    "one weight's subset": (MASKS, swap_one_edge, "output 0, input 0, positive half: the kept edges sum"),
    "one edge fewer": (MASKS, drop_one_edge, r"output 0, input 0, positive half: \d+ edges kept, k ="),
    "stored network": ("network.npz", nudge, "the stored network says"),
    "target": ("target.npz", nudge, r"certificate: `(largest_errors|rms_errors)`"),
    "k": (CERTIFICATE, layer("k", plus=1), "edges kept, k ="),
    "bound lowered": (CERTIFICATE, claim("bound", 0.999), "`bound` says"),
    "bound raised": (CERTIFICATE, claim("bound", 1.001), "`bound` says"),
    "posterior lowered": (CERTIFICATE, claim("a_posteriori", 0.5), "`a_posteriori` says"),
    "budget lowered": (CERTIFICATE, claim("budget", 0.5), "`budget` says"),
    "contribution": (CERTIFICATE, entry("contributions", 0.0), r"`contributions\[0\]` says"),
    "lower estimate raised": (CERTIFICATE, lower_is_bound, "`lower_estimate` says"),
    "worst input moved": (CERTIFICATE, entry("worst_input", 1.5), "`worst_input` does not lie in the domain"),
    "more proved": (CERTIFICATE, claim("predictions_proved", plus=1), "`predictions_proved` says"),
    "eps lowered": (CERTIFICATE, built(eps=1e-3), r"exceeds eps = 0\.001"),
    "tolerance lowered": (CERTIFICATE, layer("tolerance", 1e-9), "exceeds the tolerance"),
    "scale": (CERTIFICATE, layer("scale_exponent", 3), "exceeds the tolerance"),
    "bias scale": (CERTIFICATE, layer("bias_exponent", 3), "exceeds the tolerance"),
    "another name": (CERTIFICATE, layer("name", "layer9"), "is not the target's node"),
    "signed": (CERTIFICATE, layer("signed", True), "'negative_1' is missing"),
    "relu dropped": ("target.json", lambda record: record["nodes"].pop(2), "place and field"),
    "another graph": (
        "target.json",
        lambda record: record.update(output="relu1"),
        "must all lead to the output",
    ),
    "arrangement": (CERTIFICATE, layer("arrangement", "free"), "unknown arrangement 'free'"),
    "chosen": (CERTIFICATE, layer("arrangement", "assigned"), "do not fit"),
    "counting": (CERTIFICATE, built(budget="none"), "unknown budget counting 'none'"),
    "larger domain": (CERTIFICATE, widen, "`(bound|a_posteriori|budget)` says"),
    "seed": ("source.json", lambda record: record.update(seed="8"), "the kept edges sum"),
    "fewer copies": ("source.json", narrow, "give it different sizes"),
    "unknown key": ("source.json", lambda record: record.update(note="x"), "note"),
    "unknown array": (MASKS, lambda arrays: arrays.update(extra=np.zeros(1)), "unknown array 'extra'"),
    "missing array": ("network.npz", lambda arrays: arrays.pop("positive_2"), "'positive_2' is missing"),
    "wrong type": (MASKS, lambda arrays: arrays.update(edges_1=arrays["edges_1"].astype(int)), "must be uint8"),
    "spare bits": (MASKS, lambda arrays: arrays["edges_1"].__setitem__((0, 0, -1), 255), "bits beyond its"),
}


@pytest.mark.parametrize("name", list(FORGERIES))
def test_consistent_forgery_is_noticed(copy: Path, name: str) -> None:
    """Files and manifest rewritten together: only the mathematics can object."""
    file, change, message = FORGERIES[name]
    (edit_json if file.endswith(".json") else edit_arrays)(copy / file, change)
    write_manifest(copy)
    with pytest.raises(slth.TicketDamaged, match=message):
        slth.check(copy)


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = tiny_ticket()

    def fail(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slth.tickets.storage.write_manifest", fail)
    with pytest.raises(KeyboardInterrupt):
        ticket.save(tmp_path / "ticket")
    assert list(tmp_path.iterdir()) == []


def test_refuses_to_overwrite_and_bad_places(tmp_path: Path) -> None:
    ticket = tiny_ticket()
    (tmp_path / "there").mkdir()
    with pytest.raises(slth.OutputExists, match=r"`path` must not exist yet; got .*there"):
        ticket.save(tmp_path / "there")
    with pytest.raises(slth.InvalidInput, match="`path` must lie in an existing folder"):
        ticket.save(tmp_path / "no" / "where")
    with pytest.raises(slth.InvalidInput, match=r"`path` must be a ticket folder; got .*nothing"):
        slth.check(tmp_path / "nothing")
    with pytest.raises(slth.InvalidInput, match=r"holds no manifest\.json"):
        slth.check(tmp_path / "there")


def test_signed_and_paper_tickets_resist_the_same_swap(tmp_path: Path) -> None:
    for arrangement in ("sign-matched", "paper", "assigned", "gathered"):
        path = tmp_path / arrangement
        domain = box() if arrangement == "gathered" else box(-1, 1)
        tiny_ticket(domain=domain, inputs=None, arrangement=arrangement).save(path)
        slth.check(path)
        edit_arrays(path / "masks.npz", drop_one_edge)
        write_manifest(path)
        with pytest.raises(slth.TicketDamaged, match="the kept edges sum"):
            slth.check(path)


def test_owners_of_neurons_cannot_be_forged(tmp_path: Path) -> None:
    def swap(arrays: dict) -> None:
        arrays["members_1"] = np.roll(arrays["members_1"], 1, axis=0)

    def share(arrays: dict) -> None:
        members = arrays["members_1"].copy()
        members[1, 0] = members[0, 0]
        arrays["members_1"] = members

    for forge, message in ((swap, "the kept edges sum"), (share, "must name every hidden neuron once")):
        for arrangement in ("assigned", "gathered"):
            path = tmp_path / f"{arrangement} {message}"
            tiny_ticket(arrangement=arrangement).save(path)
            slth.check(path)
            edit_arrays(path / "masks.npz", forge)
            write_manifest(path)
            with pytest.raises(slth.TicketDamaged, match=message):
                slth.check(path)


def test_sums_cannot_wrap_around() -> None:
    """Enough products add up to 2^64 and a little in int64: a weight of 2^18 would look like a small one."""
    goal = slth.dense_network([[[0.5]]])
    source = Source.for_network(goal, 1 << 18, seed=3)
    live = wiring(source, 0, None).singles[0] > 0
    layer = dataclasses.replace(
        slth.prune(goal, domain=slth.Domain.box(0.0, 1.0, 1), eps=0.1, arrangement="sign-matched").layers[0],
        copies=1 << 18,
        k=int(live.sum()),
        packed=pack(live[None, :, None], "inputs"),
    )
    with pytest.raises(slth.CapacityExceeded, match=f"{live.sum()} edges serve one weight, more than 65536"):
        assemble(source, 0, layer)


def test_subset_sizes_beyond_integers_are_checked_as_well(copy: Path) -> None:
    def change(record: dict) -> None:
        record["construction"]["layers"][0]["window"] = 10**30

    edit_json(copy / "certificate.json", change)
    write_manifest(copy)
    slth.check(copy)

    def larger(record: dict) -> None:
        record["construction"]["layers"][0]["k"] = 10**30

    edit_json(copy / "certificate.json", larger)
    write_manifest(copy)
    with pytest.raises(slth.TicketDamaged, match="k, tolerance or scale is out of range"):
        slth.check(copy)


def test_neurons_of_groups_cannot_choose(tmp_path: Path) -> None:
    """Their outgoing weights lead to their own group's features: no owner elsewhere could be served."""
    rng = np.random.default_rng(2)
    basis = Translations(4, 3, padding=1)
    node = Linear("conv", "x", rng.uniform(-0.9, 0.9, (2, 1, 3)), basis, groups=2)
    goal = slth.Network((Input("x", 8), node), "conv")
    ticket = slth.prune(goal, domain=slth.Domain.box(0.0, 1.0, 8), eps=0.5, arrangement="sign-matched")
    layer = ticket.layers[0]
    forged = dataclasses.replace(layer, arrangement="assigned", members=layer.owned)
    construction = dataclasses.replace(ticket.construction, layers=(forged,))
    dataclasses.replace(ticket, construction=construction).save(tmp_path / "ticket")
    with pytest.raises(slth.TicketDamaged, match="its neurons cannot choose their owners"):
        slth.check(tmp_path / "ticket")


def test_neurons_gather_in_dense_layers_only(tmp_path: Path) -> None:
    basis = Translations(4, 3, padding=1)
    node = Linear("conv", "x", np.random.default_rng(2).uniform(-0.9, 0.9, (1, 1, 3)), basis)
    goal = slth.Network((Input("x", 4), node), "conv")
    ticket = slth.prune(goal, domain=slth.Domain.box(0.0, 1.0, 4), eps=0.5, arrangement="sign-matched")
    own = ticket.source.layers[0]
    copies = 8
    source = dataclasses.replace(
        ticket.source, layers=(dataclasses.replace(own, copies=copies, owners="outputs"),)
    )
    members = np.arange(own.outputs * copies).reshape(own.outputs, copies)
    layer = dataclasses.replace(
        ticket.layers[0],
        arrangement="gathered",
        copies=copies,
        members=members,
        packed=np.zeros((own.outputs, 1, 1), dtype=np.uint8),
    )
    construction = dataclasses.replace(ticket.construction, layers=(layer,))
    dataclasses.replace(ticket, source=source, construction=construction).save(tmp_path / "ticket")
    with pytest.raises(slth.TicketDamaged, match="neurons gather inputs in dense layers only"):
        slth.check(tmp_path / "ticket")
