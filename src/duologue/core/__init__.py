"""The conversation as a value: pure machines, fed with messages and the time, drained of events.

Nothing in here sleeps, reads a clock, draws a random number, logs or imports asyncio. Start with
``session``; ``turns`` holds the rules about what the service really does.
"""
