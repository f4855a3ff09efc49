"""Offers: made, answered after a while or not at all, handed on to backups."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from dispatch.domain import Refusal, StopKind
from dispatch.errors import MAX_IDS, DispatchError
from dispatch.simulation.behaviour import Behaviour, Draws, Question
from dispatch.simulation.day import moment
from dispatch.simulation.events import Kind, Rank
from dispatch.simulation.policy import Outcome, Proposal
from dispatch.simulation.state import CourierState, Fate, OfferState, OrderState
from dispatch.simulation.timeline import TimedStop, ride_stops
from dispatch.simulation.world import World


class PolicyError(DispatchError):
    """A policy asked for something that cannot be done: a fault of the policy."""


class OfferDesk:
    """Makes offers to couriers and lets their answers take effect."""

    def __init__(self, world: World, behaviour: Behaviour, draws: Draws) -> None:
        self._world, self._behaviour, self._draws = world, behaviour, draws
        self._count = 0
        self._outcomes: list[Outcome] = []

    def outcomes(self) -> Sequence[Outcome]:
        """Return what became of offers since the last call."""
        found, self._outcomes = self._outcomes, []
        return found

    def offer(self, proposal: Proposal) -> None:
        """Make an offer now.

        Raises
        ------
        PolicyError
            The courier is not online, an order is not waiting, or the stops make no sense.
        """
        self._require_possible(proposal)
        world, name = self._world, proposal.courier_id
        state = world.online[name]
        self._count += 1
        expires_s = world.now_s + proposal.expires_after_s
        offer = OfferState(f"f{self._count:06d}", proposal, world.now_s, expires_s)
        orders = [world.open[order_id] for order_id in proposal.order_ids]
        for order in orders:
            order.fate = Fate.OFFERED
            order.asked[name] = order.asked.get(name, 0) + 1
            world.log(
                Kind.OFFERED, order.order.id, name, offer.offer_id, value=proposal.probability
            )
        state.offers[offer.offer_id] = offer
        state.last_offer_s = world.now_s
        attempt = max(order.asked[name] for order in orders)
        kept, stops = self._ride(state, proposal)
        question = Question(
            courier=state.shift.courier,
            orders=tuple(order.order for order in orders),
            stops=tuple(stop for stop in stops if stop.order.id in proposal.order_ids),
            now_s=world.now_s,
            free_s=state.after(kept, world.now_s)[1],
            attempt=attempt,
        )
        rng = self._draws.generator("answer", *sorted(proposal.order_ids), name, str(attempt))
        answer = self._behaviour.answer(question, rng)
        kind = Kind.ACCEPTED if answer.accepted else Kind.REFUSED
        at_s = world.now_s + answer.delay_s
        if at_s > expires_s:
            kind, at_s = Kind.IGNORED, expires_s
        if at_s > world.now_s:
            world.agenda.add(at_s, Rank.ANSWER, partial(self._close, state, offer, kind))
        else:
            self._close(state, offer, kind)

    def _require_possible(self, proposal: Proposal) -> None:
        world, wanted = self._world, proposal.order_ids
        where = f"proposal of {', '.join(wanted[:MAX_IDS])} to courier {proposal.courier_id}"
        state = world.online.get(proposal.courier_id)
        if state is None or state.leaving:
            raise PolicyError(f"{where}: the courier is not online")
        open_orders = [world.open.get(name) for name in wanted]
        if not wanted or any(o is None or o.fate is not Fate.WAITING for o in open_orders):
            raise PolicyError(f"{where}: an order is not waiting; offer only waiting orders")
        place = {stop: k for k, stop in enumerate(proposal.stops)}
        pairs = [((StopKind.PICKUP, name), (StopKind.DROPOFF, name)) for name in wanted]
        if len(place) != 2 * len(pairs) or any(
            place[up] > place.get(down, -1) for up, down in pairs
        ):
            raise PolicyError(f"{where}: each order needs one pickup and then one dropoff")

    def _ride(
        self, state: CourierState, proposal: Proposal
    ) -> tuple[list[TimedStop], tuple[TimedStop, ...]]:
        """Return the stops that stay as they are, and the timed stops after them.

        New stops come last, but among those that may still be moved where the route names these;
        what the route begins after stays before it.
        """
        world = self._world
        kept, movable = state.split(world.now_s)
        while movable and (movable[0].kind, movable[0].order.id) not in proposal.route:
            kept.append(movable.pop(0))
        mates = {(s.kind, s.order.id): s for s in movable}
        joint = [s for s in proposal.route if s in mates or s in proposal.stops]
        if len(joint) < len(mates) + len(proposal.stops):  # no route, or one without older work
            kept, joint = list(state.stops), list(proposal.stops)
        orders = {stop.order.id: stop.order for stop in movable}
        orders |= {name: world.open[name].order for name in proposal.order_ids}
        stops = ride_stops(
            state.shift.courier,
            *state.after(kept, world.now_s),
            [(kind, orders[name]) for kind, name in joint],
            world.day.travel,
            one_visit_per_place=world.day.rules.one_visit_per_place,
        )
        return kept, stops

    def _close(self, state: CourierState, offer: OfferState, kind: Kind) -> None:
        """Let an answer, or the lack of one, take effect."""
        world, proposal = self._world, offer.proposal
        del state.offers[offer.offer_id]
        trip = self._ride(state, proposal) if kind is Kind.ACCEPTED else None
        if trip is not None and (state.leaving or not self._within_shift(state, trip[1])):
            kind, trip = Kind.VOID, None
        orders = [world.open[name] for name in proposal.order_ids]
        for order in orders:
            order.fate = Fate.WAITING if trip is None else Fate.ACCEPTED
        if trip is not None:
            for order in orders:
                del world.open[order.order.id]
            world.ride(state, *trip)
        if kind is not Kind.VOID:
            world.ledger.answer(state.row, accepted_orders=0 if trip is None else len(orders))
        self._outcomes.append(
            Outcome(
                offer_id=offer.offer_id,
                courier_id=proposal.courier_id,
                order_ids=proposal.order_ids,
                answer=kind.value,
                offered_s=offer.offered_s,
                answered_s=world.now_s,
                probability=proposal.probability,
            )
        )
        waited_s = world.now_s - offer.offered_s
        for order in orders:
            world.log(kind, order.order.id, proposal.courier_id, offer.offer_id, value=waited_s)
        if trip is None:
            self._try_again(proposal, orders, kind)

    def _try_again(self, proposal: Proposal, orders: list[OrderState], kind: Kind) -> None:
        """Note the refusal, then ask the first backup who can be asked."""
        world = self._world
        if kind is not Kind.VOID:
            refusal = Refusal(proposal.courier_id, moment(world.now_s), kind.value)
            for order in orders:
                order.refusals.append(refusal)
        for order in orders:
            world.give_up_if_late(order)
        if any(order.fate is not Fate.WAITING for order in orders):
            return
        for k, name in enumerate(proposal.backups, start=1):
            if self._can_be_asked(name, orders):
                backups = proposal.backups[k:]
                nan = float("nan")
                self.offer(replace(proposal, courier_id=name, backups=backups, probability=nan))
                return

    def _can_be_asked(self, name: str, orders: list[OrderState]) -> bool:
        world = self._world
        state, rules = world.online.get(name), world.day.rules
        if state is None or state.leaving or state.offers:
            return False
        if any(name in order.blocked(world.now_s, rules.block_s) for order in orders):
            return False
        courier = state.shift.courier
        on_board = {} if rules.finish_first else {s.order.id: s.order.size for s in state.stops}
        size = sum(on_board.values()) + sum(order.order.size for order in orders)
        count = len(on_board) + len(orders)
        return count <= courier.capacity.orders and size <= courier.capacity.size

    def _within_shift(self, state: CourierState, stops: Sequence[TimedStop]) -> bool:
        if self._world.day.rules.shift_covers == "pickup":
            ends = [stop.event_s for stop in stops if stop.kind is StopKind.PICKUP]
        else:
            ends = [stop.leave_s for stop in stops]
        return max(ends) <= state.shift.end_s
