"""Offers: several to one courier make the trip that was planned, refusals block, backups are asked."""
