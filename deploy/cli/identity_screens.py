"""What `touchline identity` shows, as rich drawings that fit 80 columns. The words are deploy.identity.texts'. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from deploy.identity import texts
from deploy.identity.preview import Move, Preview
from deploy.identity.tree import Branch, Leaf, Mark, Shown
from deploy.identity.why import Why
from deploy.identity.words import counted, grouped, short, short_customer, short_id, span, when

SHOWN_MAX: Final = 8
COLOURS: Final = {
    "crowded": "yellow",
    "kiosk": "yellow",
    "blocked": "red",
    "worn": "red",
    "unlinked": "red",
    "waiting": "cyan",
    "shared": "magenta",
    "several": "magenta",
    "own_links": "dim",
}


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Two columns: what, and what is known of it."""
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def bullets(lines: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.add_column(style="dim")
    table.add_column(ratio=1, overflow="fold")
    for line in lines:
        table.add_row("•", Text(line))
    return table


# -- show --------------------------------------------------------------------------------------------------------------


def show_screen(shown: Shown) -> RenderableType:
    parts: list[RenderableType] = [_customer(shown), Text(), _tree(shown)]
    if shown.naming is not None:
        parts += [Text(), Text(texts.naming(shown.naming))]
    if not shown.is_whole:
        parts.append(
            Text("There is more around it than one look reads; what is shown is a part of it.", style="yellow")
        )
    if shown.accounts:
        parts += [Text(), Text("acts for", style="bold"), _leaves(shown.accounts)]
    if shown.decisions:
        parts += [
            Text(),
            Text("decided by hand", style="bold"),
            bullets([texts.by_hand(one) for one in shown.decisions]),
        ]
    parts += [
        Text(),
        Text("touchline identity why TOUCHPOINT says more of each touchpoint; ids may be cut as above", "dim"),
    ]
    return Group(*parts)


def _customer(shown: Shown) -> Table:
    total = sum(one.touchpoints for one in shown.totals)
    rules = ", ".join(f"{grouped(one.touchpoints)} by {one.rule}" for one in shown.totals)
    rows: list[tuple[str, RenderableType]] = [("asked for", Text(shown.asked))]
    rows.append(("customer", Text(shown.customer_id or "nobody", style="bold")))
    if shown.first_at is not None and shown.last_at is not None:
        rows.append(("touchpoints", Text(f"{grouped(total)}, {span(shown.first_at, shown.last_at)}: {rules}")))
    else:
        rows.append(("touchpoints", Text("none")))
    return facts(rows)


def _tree(shown: Shown) -> Tree:
    tree = Tree(_label(shown.root, None, shown.marks, shown.root == shown.asked), guide_style="dim")
    for branch in shown.branches:
        _grow(tree.add(Text(texts.GROUPS[branch.group], style="italic dim")), branch)
    if not shown.branches:
        tree.add(Text("nothing is joined with it", style="dim"))
    return tree


def _grow(tree: Tree, branch: Branch) -> None:
    for leaf in branch.leaves:
        _leaf(tree, leaf)
    if branch.more:
        tree.add(Text(texts.more(branch.more), style="dim"))


def _leaf(tree: Tree, leaf: Leaf) -> None:
    below = tree.add(_label(leaf.identifier, leaf, leaf.marks, leaf.is_asked))
    for child in leaf.children:
        _leaf(below, child)


def _label(identifier: str, leaf: Leaf | None, marks: Sequence[Mark], is_asked: bool) -> Text:
    text = Text(short(identifier), style="bold reverse" if is_asked else "bold")
    for one in marks:
        text.append(f"\n{texts.mark(one)}", style=f"not bold not reverse {COLOURS[one.kind]}")
    if leaf is not None:
        text.append(f"\n{texts.edge(leaf)}", style="not bold not reverse dim")
    return text


def _leaves(leaves: Sequence[Leaf]) -> Table:
    return bullets([f"{leaf.identifier}: {texts.edge(leaf)}" for leaf in leaves])


# -- why ---------------------------------------------------------------------------------------------------------------


def why_screen(why: Why) -> RenderableType:
    touch, owner = why.touch, why.touch.owner
    who = Text(owner.customer_id or "nobody", style="bold")
    if why.user_id is not None and not why.differs:
        who.append(f"  user_id:{why.user_id}", style="not bold")
    rows: list[tuple[str, RenderableType]] = [
        ("touchpoint", Text.assemble((touch.name, "bold"), f"  {when(touch.occurred_at)} UTC  {touch.channel}")),
        ("on", Text(short(touch.origin))),
        ("belongs to", who),
        ("because", Text(f"{texts.because(why)} ({owner.by})")),
        ("what decided", bullets(texts.reasons(why))),
    ]
    if why.differs:
        rows.append(("but", Text(texts.difference(why), style="bold red")))
    rows.append(("would change it", bullets(texts.changes(why))))
    if why.moves:
        path = [why.arrival, *why.moves]
        rows.append(("moved", Text(" → ".join(f"{short_customer(one.customer_id)} ({one.by})" for one in path))))
    rows += [("takes part in", _journeys(why)), ("open alerts", _alerts(why))]
    rows.append(
        ("lay at", Text(f"touchpoints.raw/{touch.raw_partition}/{touch.raw_offset}, {when(touch.log_time)} UTC"))
    )
    rows.append(("sent by", Text(f"{touch.source}, message_id {touch.message_id}")))
    rows.append(("its id", Text(touch.touchpoint_id)))
    return facts(rows)


def _journeys(why: Why) -> RenderableType:
    if not why.journeys:
        return Text("no journey")
    lines = []
    for one in why.journeys:
        role = f"reached step {one.step}" if one.step else "began it" if one.is_start else "reached no step"
        whose = (
            "" if one.customer_id == why.touch.owner.customer_id else f" of customer {short_customer(one.customer_id)}"
        )
        lines.append(f"{one.definition} {short_anchor(one.anchor)}{whose}: {one.status}; it {role}")
    return bullets(lines)


def _alerts(why: Why) -> RenderableType:
    return bullets([one.first_line for one in why.alerts]) if why.alerts else Text("none")


def short_anchor(anchor: str) -> str:
    kind, _, value = anchor.partition(":")
    return f"{kind}:{short_id(value)}" if kind == "start" else anchor


# -- before and after --------------------------------------------------------------------------------------------------


def preview_screen(preview: Preview) -> RenderableType:
    decision = preview.decision
    parts: list[RenderableType] = [Text(texts.headline(decision), style="bold")]
    if not preview.is_seen:
        parts.append(Text(f"Note: {texts.never_seen(decision.identifier)}.", style="yellow"))
    if not preview.moves and not preview.renamed:
        parts.append(Text("Nothing that is stored changes hands."))
        return Group(*parts, *_consequences(preview))
    sides = Table.grid(expand=True)
    sides.add_column(ratio=1)
    sides.add_column(ratio=1)
    sides.add_row(
        Panel(_side(preview, preview.moves, is_after=False), title="now", border_style="dim"),
        Panel(_side(preview, preview.moves, is_after=True), title="then", border_style="green"),
    )
    parts.append(sides)
    return Group(*parts, *_consequences(preview))


def _side(preview: Preview, moves: Sequence[Move], *, is_after: bool) -> RenderableType:
    """Customers with what they have of all that moves."""
    by_customer: dict[str | None, dict[str, list[Move]]] = {}
    for move in moves:
        owner = move.after if is_after else move.before
        what = move.touch.contacts[0] if move.touch.contacts else move.touch.origin
        by_customer.setdefault(owner.customer_id, {}).setdefault(what, []).append(move)
    trees: list[RenderableType] = []
    for customer, by_origin in sorted(by_customer.items(), key=lambda item: item[0] or "")[:SHOWN_MAX]:
        name = preview.people.get(customer or "", "")
        tree = Tree(Text.assemble((short_customer(customer), "bold"), f" {short(name)}"), guide_style="dim")
        for origin, own in list(by_origin.items())[:SHOWN_MAX]:
            tree.add(Text(f"{short(origin)}\n{counted(len(own), 'touchpoint')}"))
        if len(by_origin) > SHOWN_MAX:
            tree.add(Text(texts.more(len(by_origin) - SHOWN_MAX), style="dim"))
        trees.append(tree)
    if len(by_customer) > SHOWN_MAX:
        trees.append(Text(texts.more(len(by_customer) - SHOWN_MAX), style="dim"))
    for one in preview.renamed[:SHOWN_MAX]:
        user = one.after if is_after else one.before
        trees.append(Text(f"{short(one.contact)} names {f'user_id:{user}' if user else 'nobody'}", style="dim"))
    return Group(*trees) if trees else Text("nothing", style="dim")


def _consequences(preview: Preview) -> list[RenderableType]:
    least = "" if preview.is_whole else "at least "
    old = sum(not move.in_journeys for move in preview.moves)
    rows: list[tuple[str, RenderableType]] = [
        ("changes hands", Text(f"{least}{counted(len(preview.moves), 'touchpoint')}")),
        ("journeys that move", _few([f"{one.definition} {short_anchor(one.anchor)}" for one in preview.journeys])),
        ("open alerts on them", _few([one.first_line for one in preview.alerts])),
    ]
    if old:
        rows.append(("of these older", Text(texts.older(old))))
    if preview.still:
        rows.append(("stays as it is", Text(texts.still(preview.decision, preview.still))))
    rows.append(("reason", Text(preview.decision.reason)))
    rows.append(("decided by", Text(preview.decision.decided_by)))
    return [facts(rows)]


def _few(lines: Sequence[str]) -> RenderableType:
    if not lines:
        return Text("none")
    shown = [f"{grouped(len(lines))} in all", *lines[:SHOWN_MAX]] if len(lines) > SHOWN_MAX else list(lines)
    return bullets(shown)
