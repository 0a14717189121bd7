/// Schema 18: the multipart uploads whose creation has not ended, or was cut short; there are few.
func creationSchema(_ dialect: SQLDialect) -> String {
    "CREATE INDEX uploads_being_created ON uploads (initiated_at) WHERE state = 'creating';"
}
