"""Competitions: their rules as data, and submissions judged by them."""
