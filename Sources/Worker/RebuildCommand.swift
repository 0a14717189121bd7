import ArgumentParser
import CommandLineSupport
import Core
private import Foundation

/// `s3gw-worker rebuild`.
struct RebuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Makes the lost metadata database anew from what lies on the backends.",
        discussion: """
            Needs the master key file of the lost installation, a new database (s3gw init) and one backend at least \
            (s3gw backend add); the others are found. Stop the pool and all workers first. Writes of the last moments \
            before the loss that no worker had written down, such as deletes and new tags, are not found.

            Exit code 0: done. 1: done, and some versions have no bytes on the backends that were read. 3: not done, and \
            nothing was changed.
            """)

    @Option(help: ArgumentHelp("Do not read this backend: it is gone. May be given more than once.", valueName: "name"))
    var without: [String] = []
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        try WorkerSetup.startLog(configuration)
        let report: Rebuild.Report
        do throws(S3Error) {
            let keys = try World.masterKeys(configuration, environment: ProcessInfo.processInfo.environment)
            let rebuild = Rebuild(
                databasePath: configuration.databasePath, masterKeys: keys, region: configuration.region,
                without: Set(without), stop: try StopSignal())
            report = try rebuild.run()
        } catch {
            throw WorkerSetup.fail(error)
        }
        print(
            """
            backends \(report.backends), tenants \(report.tenants), buckets \(report.buckets), versions \
            \(report.versions), delete markers \(report.deleteMarkers), replicas \(report.replicas); to be removed \
            \(report.dead); foreign objects \(report.foreign), damaged objects \(report.damaged), versions without \
            bytes \(report.lost)
            """)
        for name in report.found {
            print(
                """
                bucket \(name) came back without its settings: its objects stay in the regions where they are until you \
                set or remove its policy (s3gw policy set or remove --bucket \(name))
                """)
        }
        if report.unadopted > 0 {
            print(
                """
                \(report.unadopted) objects in adopted buckets are in no record, because their import was not written \
                down to its end: call s3gw import for these buckets again.
                """)
        }
        if report.lost > 0 { throw ExitCode(1) }
    }
}
