import ArgumentParser
import CommandLineSupport

/// `s3gw NOUN VERB`: everything an operator does to a gateway.
struct S3GWCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3gw",
        abstract: "Operate an S3 gateway: tenants, keys, backends, policies, buckets, objects and jobs.",
        discussion: """
            Tables are for people; --json prints the same for programs, with stable names. All running processes see a \
            change with their next request.

            Exit codes: 0 done; 1 the answer is no (not found, refused, unhealthy); 2 wrong usage or configuration; \
            3 failed (database, master key).

            Examples:
              s3gw init
              \(Example.lines("s3gw backend add fi --type file --path /srv/s3/fi --region fi-hel-1 --country FI"))
              s3gw tenant create alice
              s3gw key create alice
              s3gw status
            """,
        version: CommandLineProgram.version,
        subcommands: [
            InitCommand.self, TenantCommand.self, KeyCommand.self, BackendCommand.self, PolicyCommand.self,
            BucketCommand.self, ObjectCommand.self, JobsCommand.self, ReplicationCommand.self, ExplainCommand.self,
            WhatIfCommand.self, AttestCommand.self, ImportCommand.self, StatusCommand.self, NginxCommand.self,
            ReconcileFindings.self, ResealCommand.self,
        ])

    func run() throws { throw ValidationError("Name what to work on, such as tenant, and what to do, such as list.") }
}

extension CommandConfiguration {
    /// A noun with its verbs.
    static func noun(
        _ name: String, _ abstract: String, example: String, _ verbs: [any ParsableCommand.Type]
    ) -> CommandConfiguration {
        CommandConfiguration(
            commandName: name, abstract: abstract, discussion: "Example:\n  \(Example.lines(example))",
            subcommands: verbs)
    }

    /// One verb; every one has an example.
    static func verb(
        _ name: String, _ abstract: String, _ discussion: String? = nil, examples: String...
    ) -> CommandConfiguration {
        let title = examples.count == 1 ? "Example:" : "Examples:"
        let lines = ([title] + examples.map { "  \(Example.lines($0))" }).joined(separator: "\n")
        return CommandConfiguration(
            commandName: name, abstract: abstract,
            discussion: [discussion, lines].compactMap(\.self).joined(separator: "\n\n"))
    }
}

/// A command in a help text, which is there to be pasted.
private enum Example {
    /// Help is wrapped at 80 columns where nobody knows better; room for the indentation and the backslash.
    private static let longestLine = 72

    /// The command, broken with backslashes before options and pipes where it is too long for one line.
    static func lines(_ command: String) -> String {
        var pieces: [String] = []
        for word in command.split(separator: " ") {
            if pieces.isEmpty || word.hasPrefix("--") || word == "|" {
                pieces.append(String(word))
            } else {
                pieces[pieces.count - 1] += " \(word)"
            }
        }
        var lines: [String] = []
        for piece in pieces {
            if let last = lines.last, last.utf8.count + 1 + piece.utf8.count <= longestLine {
                lines[lines.count - 1] += " \(piece)"
            } else {
                lines.append(lines.isEmpty ? piece : "    \(piece)")
            }
        }
        return lines.joined(separator: " \\\n  ")
    }
}

/// What a noun says when its verb is missing.
func verbIsMissing(_ noun: String) -> ValidationError {
    ValidationError("Say what to do; s3gw \(noun) --help names the verbs.")
}
