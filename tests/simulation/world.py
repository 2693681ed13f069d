"""A schedule, played: moves true time from event to event and lets everybody look on."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain

from mintkey.keys.ring import Intent, Ring
from tests.simulation.events import Action, Aim, Event, Fault
from tests.simulation.fleet import Fleet, RefusedError, UnavailableError
from tests.simulation.invariants import Account, Token
from tests.simulation.node import Node
from tests.simulation.schedule import Schedule
from tests.simulation.verifier import Verifier

__all__ = ["Tally", "World", "play"]

_TOKENS = 24  # so many are remembered
_DRAWN = 8  # so many versions of a ring are told


@dataclass(slots=True)
class Tally:
    """What happened in a schedule, or in several."""

    schedules: int = 0
    events: int = 0
    tokens: int = 0
    verifications: int = 0
    versions: int = 0
    rotations: int = 0
    crashes: int = 0
    losses: int = 0

    def add(self, other: "Tally") -> None:
        """Count another one in."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)


def play(schedule: Schedule, /, *, node_type: type[Node] = Node, log: Callable[[str], None] | None = None) -> Tally:
    """Play a schedule to its end.

    Args:
        schedule: Settings and events.
        node_type: What processes are; a test may put a defect in.
        log: Takes one line for everything that happens.

    Raises:
        Violation: A promise was broken.
    """
    world = World(schedule, node_type, log)
    for event in schedule.events:
        world.happen(event)
    return world.tally


class World:
    """Nodes, verifiers, tokens and true time."""

    def __init__(self, schedule: Schedule, node_type: type[Node], log: Callable[[str], None] | None = None) -> None:
        self.settings = settings = schedule.settings
        self.fleet = fleet = Fleet(settings)
        self.account = Account(fleet)
        self.tally = Tally(schedules=1)
        self.nodes = [node_type(f"node {number}", offset, fleet) for number, offset in enumerate(settings.node_offsets)]
        self.verifiers = [
            Verifier(f"verifier {number}", offset, fleet) for number, offset in enumerate(settings.verifier_offsets)
        ]
        self._tokens: list[Token] = []
        self._late: Token | None = None  # the last one that was signed with a version that no longer should
        self._log = log
        self._rival: Node | None = None
        self._news = False
        fleet.race = self._race
        fleet.swapped = self._swapped
        self._actions: dict[Action, Callable[[Node, Event], None]] = {
            Action.MINT: self._mint,
            Action.MINT_MANY: self._mint_many,
            Action.MINT_PINNED: self._mint_pinned,
            Action.VERIFY: self._verify,
            Action.VERIFY_EVERYWHERE: self._verify_everywhere,
            Action.VERIFY_OUTSIDE: self._verify_outside,
            Action.MAINTAIN: lambda node, _: self._attempt(node, node.maintain),
            Action.ROTATE: lambda node, _: self._attempt(node, node.rotate),
            Action.REVOKE: self._revoke,
            Action.FLOOD: self._flood,
            Action.CRASH: self._crash,
            Action.RESTART: self._restart,
            Action.PARTITION: self._partition,
            Action.BACK_UP: lambda _node, _: fleet.store.back_up(),
            Action.LOSE: lambda _node, _: self._lose(fleet.store.lose),
            Action.ROLL_BACK: lambda _node, _: self._lose(fleet.store.roll_back),
        }

    def happen(self, event: Event) -> None:
        """Play one event."""
        fleet, nodes, settings = self.fleet, self.nodes, self.settings
        node = nodes[int(event.who * len(nodes))]
        fleet.now = max(fleet.now, self._moment(event, node))
        self._rival = nodes[int(event.rival * len(nodes))] if event.rival < 1 else None
        if self._log is not None:
            self._log(f"{fleet.now:10.3f}  {node.name}: {event.action.value}{self._circumstances(node, event)}")
        fleet.fails, fleet.loses_answers = event.fault is Fault.FAILS, event.fault is Fault.LOSES_ANSWERS
        if event.fault is Fault.STOPS:
            # Longer than a plan lasts, and now and then for longer than anybody goes by what he saw.
            lasting = 1.5 + event.spread * 2 * settings.refresh_interval
            fleet.stops_in_look, fleet.stops_before_swap = (lasting, 0.0) if event.what < 0.5 else (0.0, lasting)
        before = node.snapshot if self.account.losses else None
        self._actions[event.action](node, event)
        node.flush()
        self._push()
        if (
            before is not None
            and node.snapshot is not before
            and node.snapshot
            and node.snapshot.checked_at == fleet.now
        ):
            self.account.goes_on(node, before)
        fleet.fails = fleet.loses_answers = False
        fleet.stops_in_look = fleet.stops_before_swap = 0.0
        self.tally.events += 1

    # --- when

    def _moment(self, event: Event, node: Node) -> float:  # noqa: PLR0911 - one for each aim
        now, spread, settings = self.fleet.now, event.spread, self.settings
        # Mostly by the clock of whoever acts, and just after.
        around = -node.offset + spread / 50 if spread < 0.8 else (spread - 0.9) * 5 * (settings.max_clock_skew + 0.2)
        match event.aim:
            case Aim.AT_ONCE:
                return now
            case Aim.SOON:
                return now + spread * settings.refresh_interval / 4
            case Aim.LATER:
                return now + spread * settings.refresh_interval * 2
            case Aim.ROTATION:
                due_at = node.snapshot.change_due_at if node.snapshot is not None else now
                return due_at + around if due_at < now + 3600 else now
            case Aim.TOKEN_END:
                token, clock = self._token(event.what), self._clock_of(event, node)
                return now if token is None else token.expires_at - clock - 0.001
            case Aim.STALE:
                return self._after_look(node, settings.refresh_interval, spread)
            case Aim.TOLERATED:
                return self._after_look(node, settings.outage_tolerance, spread)
            case Aim.CACHE_END:
                verifier = self._verifier(event)
                return verifier.expires_at + (-0.001 if spread < 0.8 else 0.001)
            case Aim.VERIFY_UNTIL:
                return self._end(event) + around

    def _end(self, event: Event) -> float:
        """When the version of a token is past its time, or the next one that is."""
        stored, token, now = self.fleet.store.stored, self._token(event.what), self.fleet.now
        versions = () if stored is None else stored.ring.versions
        ends = {v.kid: v.verify_until for v in versions if v.verify_until is not None and v.verify_until > now}
        end = None if token is None else ends.get(token.kid)
        return min(ends.values(), default=now) if end is None else end

    def _clock_of(self, event: Event, node: Node) -> float:
        if event.action is Action.VERIFY_OUTSIDE:
            return self._verifier(event).offset
        # Whose clock is furthest behind accepts a token for longest.
        return node.offset if event.action is Action.VERIFY else min(each.offset for each in self.nodes)

    def _after_look(self, node: Node, delay: float, spread: float) -> float:
        snapshot = node.snapshot
        return self.fleet.now if snapshot is None else snapshot.checked_at + delay + (-0.001 if spread < 0.7 else 0.001)

    # --- minting

    def _mint(self, node: Node, event: Event) -> None:
        self._sign(node, 1)

    def _mint_many(self, node: Node, event: Event) -> None:
        if event.what < 0.3:
            self._sign(node, 1 + int(event.what * 200))
        else:  # one by one and quickly, which is what makes blocks grow
            most = min(30, 2 * (self.settings.policy.max_mints or 15))
            for _ in range(int(event.what * most)):
                self._sign(node, 1)

    def _sign(self, node: Node, want: int) -> None:
        try:
            kid, count = node.acquire(want)
        except UnavailableError:
            self.account.unavailable(node)
        else:
            self._signed(node, kid, count)

    def _mint_pinned(self, node: Node, event: Event) -> None:
        try:
            kid = node.acquire_pinned()
        except UnavailableError:
            return  # without a cap the engine goes on here; a pinned mint is not worth more of a model
        if kid is not None:
            self._signed(node, kid, 1)

    def _signed(self, node: Node, kid: str, count: int) -> None:
        self.account.signed_by(node, kid, count)
        self.tally.tokens += count
        doubtful = self.account.losses > 0 and any(self._knows_end(other, kid) for other in self.nodes)
        expires_at = node.now + self.settings.lifetime + self.settings.leeway
        self._tokens.append(token := Token(kid, self.fleet.now, expires_at, doubtful))
        if self.account.is_late(token):
            self._late = token
        if len(self._tokens) > _TOKENS:
            self._tokens = [token for token in self._tokens if self.account.is_alive(token)][-_TOKENS:]
        self._say("signed with {} × {}", kid, count)

    @staticmethod
    def _knows_end(node: Node, kid: str) -> bool:
        if node.snapshot is None:
            return False
        version = node.snapshot.ring.find(kid)
        return node.snapshot.ring.tombstone(kid) is not None or (version is not None and not version.still_to_retire)

    # --- verifying

    def _verify(self, node: Node, event: Event) -> None:
        token = self._token(event.what)
        if token is not None:
            self._check(node, token)

    def _verify_everywhere(self, node: Node, event: Event) -> None:
        token = self._token(event.what)
        if token is None:
            return
        self.fleet.fails = self.fleet.loses_answers = False
        for each in self.nodes:
            self._check(each, token)
            each.flush()
        for verifier in self.verifiers:
            self._check_outside(verifier, node, token)

    def _verify_outside(self, node: Node, event: Event) -> None:
        token = self._token(event.what)
        if token is not None:
            self._check_outside(self._verifier(event), node, token)

    def _check(self, node: Node, token: Token) -> None:
        self.tally.verifications += 1
        try:
            node.resolve(token.kid)
        except RefusedError as error:
            self._say("{} refuses {}: {}", node.name, token.kid, error.word)
            self.account.refused(node, token, error.word)
        except UnavailableError:
            self._say("{} has no answer on {}", node.name, token.kid)
            self.account.unavailable(node, token.kid)
        else:
            self.account.accepted(node, token.kid)

    def _check_outside(self, verifier: Verifier, node: Node, token: Token) -> None:
        self.tally.verifications += 1
        if verifier.needs_keys():
            try:
                kids = verifier.fetch(node)
            except UnavailableError:
                return
            self._say("{} keeps {} until {:.3f}", verifier.name, sorted(kids), verifier.expires_at)
            for kid in kids:
                self.account.accepted(node, kid)
        if verifier.accepts(token.kid):
            self.account.accepted_outside(verifier, token.kid)
        else:
            self._say("{} refuses {}", verifier.name, token.kid)
            self.account.refused_outside(verifier, token)

    # --- operations and accidents

    def _attempt(self, node: Node, work: Callable[[], None]) -> None:
        try:
            work()
        except UnavailableError:
            if node.reaches_store:
                self.account.unavailable(node)

    def _revoke(self, node: Node, event: Event) -> None:
        stored = self.fleet.store.stored
        if stored is not None:
            ring, what = stored.ring, event.what
            # The active version and its successor more often than others.
            likely = ring.signer if what < 0.4 else ring.successors[0] if what < 0.7 else None
            kid = (likely or ring.versions[int(what * len(ring.versions))]).kid
            self._attempt(node, lambda: node.revoke(kid))

    def _flood(self, node: Node, event: Event) -> None:
        with suppress(RefusedError, UnavailableError):
            node.resolve("never")

    def _crash(self, node: Node, event: Event) -> None:
        self.tally.crashes += 1
        node.begin()

    def _restart(self, node: Node, event: Event) -> None:
        node.close()

    def _partition(self, node: Node, event: Event) -> None:
        node.is_cut_off = not node.is_cut_off

    def _lose(self, how: Callable[[], None]) -> None:
        if self.fleet.store.stored is not None:
            how()
            self.account.lost()
            self.tally.losses += 1

    # --- what nodes do to one another

    def _race(self) -> None:
        rival, self._rival = self._rival, None
        if rival is not None:
            with suppress(UnavailableError):
                rival.maintain()

    def _swapped(self, node: Node, intent: Intent, before: Ring, after: Ring) -> None:
        rotations = self.account.rotations
        self.account.swapped(node, intent, before, after)
        self.tally.rotations += self.account.rotations - rotations
        self.tally.versions += sum(not before.knows(version.kid) for version in after.versions)
        self._news = True
        self._say("{} wrote the ring: {}", node.name, _Drawn(after, self.fleet.now))

    def _push(self) -> None:
        """Tell everybody who can be told that the ring changed."""
        if self._news and self.settings.push:
            for node in self.nodes:
                if not node.is_cut_off and node.snapshot is not None:
                    self._attempt(node, node.look)
        self._news = False

    # --- choosing

    def _token(self, what: float) -> Token | None:
        tokens: Sequence[Token] = self._tokens
        if not tokens:
            return None
        if what < 0.35:
            return tokens[-1 - int(what * 10) % min(2, len(tokens))]
        if what < 0.6 and self._late is not None:
            return self._late
        return tokens[int(what * len(tokens))]

    def _verifier(self, event: Event) -> Verifier:
        return self.verifiers[int(event.rival / 8 * len(self.verifiers))]

    # --- telling

    def _say(self, text: str, *values: object) -> None:
        if self._log is not None:
            self._log(f"{'':12}  {text.format(*values)}")

    def _circumstances(self, node: Node, event: Event) -> str:
        told = chain(
            ["cut off"] if node.is_cut_off else [],
            [event.fault.value if event.fault is Fault.STOPS else f"the store {event.fault.value}"]
            if event.fault is not Fault.NONE
            else [],
            [f"{self._rival.name} may get between"] if self._rival is not None else [],
        )
        return "".join(f", {each}" for each in told)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A ring in one line, drawn only if somebody reads it."""

    ring: Ring
    now: float

    def __str__(self) -> str:
        versions = self.ring.versions
        drawn = " ".join(f"{v.kid}={self.ring.state(v, self.now)}" for v in versions[-_DRAWN:])
        return f"… {drawn}" if len(versions) > _DRAWN else drawn
