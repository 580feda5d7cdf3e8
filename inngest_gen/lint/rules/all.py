"""All rules, by code."""

from __future__ import annotations

from inngest_gen.lint.rule import Rule
from inngest_gen.lint.rules import bodies, done, held, ids, intents, iterators, replay, values

RULES: dict[str, Rule] = {
    rule.code: rule
    for rules in (replay, intents, ids, held, done, values, iterators, bodies)
    for rule in sorted(rules.RULES, key=lambda rule: rule.code)
}
