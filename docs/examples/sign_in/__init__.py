"""Sign-in by link, with sessions that refresh themselves, sign-out and published keys: a whole application.

    pip install 'mintkey[fastapi,settings]' uvicorn
    python docs/examples/sign_in

Then open http://localhost:8000. Everything is in memory; `MINTKEY_STORE` and its companions put it somewhere else.

Read it in this order: `links` (how one gets in), `sessions` (how one stays in), `app` (what puts them together),
`pages` (what people see).
"""
