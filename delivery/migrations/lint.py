"""What a linter's remarks are worth by the policy of an application."""

from collections.abc import Iterable, Iterator
from datetime import date

from delivery.releases.rehearsal import LintFinding, LintRemark
from delivery.spec.rehearsal import LintPolicy


def weigh(policy: LintPolicy, remarks: Iterable[LintRemark], today: date) -> Iterator[LintFinding]:
    """Yield a finding for each remark; what is off is left out.

    A waiver counts up to its day; after it the rule is worth what it was, and the finding says that it is over.
    """
    for one in remarks:
        rule, message, sql = one.rule, one.message, one.sql
        advice = policy.rules.get(rule, policy.default)
        if advice == "off":
            continue
        waivers = sorted((waiver for waiver in policy.waive if waiver.rule == rule), key=lambda waiver: waiver.until)
        if waivers and waivers[-1].until >= today:
            remark = f"{waivers[-1].reason}, until {waivers[-1].until}"
            yield LintFinding(rule=rule, message=message, sql=sql, advice="waived", remark=remark)
        else:
            remark = f"the waiver ended on {waivers[-1].until}" if waivers else ""
            yield LintFinding(rule=rule, message=message, sql=sql, advice=advice, remark=remark)
