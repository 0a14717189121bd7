import ArgumentParser
import CommandLineSupport

/// `s3gw-worker`: makes and keeps reality equal to policy.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3gw-worker",
        abstract:
            "Copies, removes and repairs what the S3 gateway's database says has to be copied, removed, repaired.",
        discussion: """
            EXAMPLES:
              s3gw-worker run                     as a service; TERM or INT stops it
              s3gw-worker run --worker-concurrency 16
              s3gw-worker once                    do all that is due now, then tell what is left
              s3gw-worker reconcile               compare every backend with the database now
              s3gw-worker scrub                   read the content of every replica again now
              s3gw-worker rebuild                 make a lost database anew from the backends

            Several workers may run at once.
            """,
        version: CommandLineProgram.version,
        subcommands: [RunCommand.self, OnceCommand.self, ReconcileCommand.self, ScrubCommand.self, RebuildCommand.self])
}

CommandLineProgram.run(WorkerCommand.self)
