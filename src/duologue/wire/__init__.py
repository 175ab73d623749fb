"""The wire: typed messages, codec, setup, endpoint, model profiles, close verdicts. Pure.

Start with ``client`` and ``server`` for the messages, ``codec`` for bytes to structs and back.
"""
