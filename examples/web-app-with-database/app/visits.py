"""A page that counts its visits in the database that the environment was given."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

URL = os.environ["DATABASE_URL"]


def ask(sql):
    connection = psycopg2.connect(URL, connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            if self.path == "/healthz":
                ask("SELECT 1")
                return self.answer(200, "ok\n")
            (visits,) = ask("UPDATE visits SET n = n + 1 RETURNING n")
            self.answer(200, f"<h1>{os.environ.get('GREETING', 'Hello')}</h1><p>Visit number {visits}.</p>\n")
        except psycopg2.Error as error:
            print(error, flush=True)
            self.answer(503, "the database does not answer\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ask("CREATE TABLE IF NOT EXISTS visits AS SELECT 0 AS n")
ThreadingHTTPServer(("", 8000), Page).serve_forever()
