import Core
import Testing

/// Returns the code that `body` refuses with, nil when it does not.
func code(_ body: () throws -> Void) -> S3Error.Code? {
    do {
        try body()
    } catch let error as S3Error {
        return error.code
    } catch {
        Issue.record("an error that is no refusal: \(error)")
    }
    return nil
}
