"""What the Redis backends share: connections, batches, scripts. Nothing here is public.

```
replay/redis, keys/stores/redis     what is stored, and what an answer means
        │
      link                          one set of connections per event loop; follows a moved slot or a new master
        │
coalescer · calls                   concurrent calls share one write, one connection, one deadline each
        │
 pool · wire · topology              a few connections · one of them · where the servers are
        │
settings · protocol · errors        what a client or a URL says · bytes · what can go wrong
```

Only the transport of redis-py is used (addresses, TLS, authentication, Sentinel's answers), never its commands, pools
or retries: a retry that the caller does not know of makes every answer doubtful.
"""
