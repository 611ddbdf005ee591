"""What holds for every property test: no clock, and the same examples on every machine.

What comes to be merged must not hang on luck: an example that nobody has seen yet is looked for on purpose, by
`python -m pytest --hypothesis-profile=thorough --hypothesis-seed=N`, twenty times as many at random.
"""

from hypothesis import HealthCheck, settings

# A busy machine is slow: that is no property of the code.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "thorough", deadline=None, derandomize=False, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")
