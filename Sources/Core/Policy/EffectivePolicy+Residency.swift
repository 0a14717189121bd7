extension EffectivePolicy {
    /// Returns the first residency rule that keeps bytes out of `location`, and why; nil when none does.
    package func violation(by location: Location) -> (rule: String, reason: String)? {
        for rule in rules {
            if let reason = rule.violation(by: location) { return (rule.name, reason) }
        }
        return nil
    }
}
