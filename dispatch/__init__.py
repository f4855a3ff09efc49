"""Courier dispatch: from a snapshot of orders and couriers to a verified plan."""
