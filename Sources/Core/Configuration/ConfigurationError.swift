/// Everything that is wrong with a configuration, each problem with its place and its remedy.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    package struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// `FILE:LINE`, `environment S3GW_X`, `flag --x` or `default`.
        package let place: String
        package let text: String

        package init(at place: String, _ text: String) {
            self.place = place
            self.text = text
        }

        package var description: String { "\(place): \(text)" }
    }

    package let problems: [Problem]

    package init(_ problems: [Problem]) { self.problems = problems }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
