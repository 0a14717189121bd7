private import Foundation

/// The environment this process was started with.
package enum ProcessEnvironment {
    package static func variables() -> [String: String] { ProcessInfo.processInfo.environment }
}
