"""All rules, by code."""

from __future__ import annotations

from inngest_gen.lint.rule import Rule
from inngest_gen.lint.rules import bodies, done, held, ids, intents, replay, values

RULES: dict[str, Rule] = {
    rule.code: rule
    for rules in (replay, intents, ids, held, done, values, bodies)
    for rule in sorted(rules.RULES, key=lambda rule: rule.code)
}
