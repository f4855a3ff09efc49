"""Days of the Grubhub instances: policies under the published rules, checked and measured."""

from dispatch.simulation.grubhub.check import Rule, Violation, check_run
from dispatch.simulation.grubhub.measures import Measures, measure, unavoidable_min
from dispatch.simulation.grubhub.record import Assignment, Delivery, Departure, GrubhubRun
from dispatch.simulation.grubhub.solutions import write_solution

__all__ = [
    "Assignment",
    "Delivery",
    "Departure",
    "GrubhubRun",
    "Measures",
    "Rule",
    "Violation",
    "check_run",
    "measure",
    "unavoidable_min",
    "write_solution",
]
