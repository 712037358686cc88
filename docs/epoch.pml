/* The epoch protocol of docs/protocol.md as a Spin model: what an instance does with its store, what Kafka commits, and what may go wrong in between.
 *
 * One application, two instances, two key groups that move on their own, one source partition for each. An event of a group yields one alert. An epoch runs:
 * work - barrier - prepare (pending/e in the local store) - decide (Kafka transaction) - apply. Work of e+1 goes on while e is being decided, its output held back.
 * A process may die between any two steps and its commit may land later; a commit may be refused; groups may be taken away without their owner noticing; the
 * changelog's commit marker may become visible later than that of the offsets.
 *
 * Checked, for each group:
 *   - alerts that a read_committed consumer sees == events below the committed offset: none lost, none twice;
 *   - what an instance takes up is the state, the alert log and the rules of the committed offset;
 *   - an epoch is worked by one set of rules; what was decided by new rules is not followed by events worked by old ones;
 *   - a savepoint holds one epoch.
 *
 * spin -a epoch.pml && cc -w -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -E -m2000000      finds no error.
 * Each of the switches NO_... (spin -DNO_... -a) leaves one fence out, and an error is found. tests/stages-long/70-model.sh runs them all. */
#ifndef EVENTS_A
#define EVENTS_A 2    /* of group A */
#define EVENTS_B 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef MOVES
#define MOVES 3       /* assignments of a group, the first ones included */
#endif
#ifndef REFUSALS
#define REFUSALS 1    /* commits that the coordinator refuses though nothing is wrong with them */
#endif
#define NOBODY 2
#define A(i) (2 * (i))        /* place of group A, of group B, in an array by instance and group */
#define B(i) (2 * (i) + 1)

/* ---- Kafka: what a transaction commits, at once; by group ---- */
byte c_off[2], c_epoch[2], c_store[2] = NOBODY, c_alerts[2], c_rules[2];
byte high[2], seen[2];               /* changelog: high watermark; what a read_committed reader sees already */
byte generation, owner[2] = NOBODY;  /* consumer group */
bool fly[2], f_ok[2], f_has[4];      /* a commit on its way; accepted when its offsets were sent; the groups in it */
byte f_epoch[2], f_rules[2], f_off[4], f_alerts[4];

/* ---- the stores: they outlive their process; by instance, and by instance and group ---- */
byte s_off[4], s_epoch[4], s_log[4], s_rules[4];
bool pend[2], p_has[4];
byte p_epoch[2], p_rules[2], p_off[4], p_log[4];

byte answer[2];                      /* 0: none yet, 1 committed, 2 refused */
byte crashes, moves, refusals, saves, reloads;

/* ---- the fences ---- */
#ifdef NO_EPOCH_CHECK      /* what is pending is applied without asking which epoch was committed */
#define COUNTS(i, g) true
#else
#define COUNTS(i, g) (p_epoch[i] == c_epoch[g])
#endif
#ifdef NO_STORE_ID         /* the local state is believed whoever committed last */
#define OURS(i, g) (s_epoch[2 * (i) + g] > 0 || pend[i])
#else
#define OURS(i, g) (c_store[g] == i)
#endif
#ifdef NO_GENERATION       /* offsets are sent without the generation of the consumer group */
#define MEMBER(gen) true
#else
#define MEMBER(gen) ((gen) == generation)
#endif
#ifdef NO_STABLE           /* offsets are read that a commit in flight is about to change */
#define STABLE(i, g) true
#else
#define STABLE(i, g) !(fly[1 - (i)] && f_ok[1 - (i)] && f_has[2 * (1 - (i)) + g])
#endif
#ifdef NO_HIGH_WATERMARK   /* the restore ends where a read_committed reader ends at that moment */
#define RESTORED(g) true
#else
#define RESTORED(g) (seen[g] == high[g])
#endif
#ifdef NO_SAVE_BARRIER     /* epochs go on while a savepoint is copied */
#define MAY_APPLY true
#define MAY_SAVE true
#else
#define MAY_APPLY (!saving)
#define MAY_SAVE (!deciding && !prepared)
#endif
#ifdef NO_RELOAD_BARRIER   /* rules are swapped in the middle of an epoch */
#define AT_BARRIER true
#else
#define AT_BARRIER (off[0] == b_off[0] && off[1] == b_off[1] && !deciding)
#endif

inline land_group(i, g) {
    if
    :: f_has[2 * i + g] ->
        assert(f_rules[i] >= c_rules[g]);
        c_off[g] = f_off[2 * i + g]; c_alerts[g] = c_alerts[g] + f_alerts[2 * i + g]; high[g] = c_off[g];
        c_epoch[g] = f_epoch[i]; c_store[g] = i; c_rules[g] = f_rules[i]
    :: else
    fi
}
inline clear(i) {                     /* what is no longer needed must not tell states apart */
    fly[i] = false; f_ok[i] = false; f_epoch[i] = 0; f_rules[i] = 0;
    f_has[A(i)] = false; f_has[B(i)] = false; f_off[A(i)] = 0; f_off[B(i)] = 0; f_alerts[A(i)] = 0; f_alerts[B(i)] = 0
}
inline land(i) {                      /* the coordinator takes a commit or refuses a fenced one */
    if
    :: f_ok[i] -> land_group(i, 0); land_group(i, 1); answer[i] = 1
    :: else -> answer[i] = 2
    fi;
    clear(i);
    assert(c_alerts[0] == c_off[0] && c_alerts[1] == c_off[1])
}
inline lose(i) { clear(i); answer[i] = 2 }
inline drop_pending(i) {
    pend[i] = false; p_epoch[i] = 0; p_rules[i] = 0;
    p_has[A(i)] = false; p_has[B(i)] = false; p_off[A(i)] = 0; p_off[B(i)] = 0; p_log[A(i)] = 0; p_log[B(i)] = 0
}
inline apply_group(i, g) {
    if
    :: p_has[2 * i + g] ->
        s_off[2 * i + g] = p_off[2 * i + g]; s_epoch[2 * i + g] = p_epoch[i]; s_rules[2 * i + g] = p_rules[i];
        s_log[2 * i + g] = p_log[2 * i + g]
    :: else
    fi
}
/* Takes a group up at the start. */
inline settle_group(i, g) {
    if
    :: owner[g] != i -> mine[g] = false
    :: else ->
        mine[g] = true;
        if
        :: OURS(i, g) && pend[i] && p_has[2 * i + g] && COUNTS(i, g) -> apply_group(i, g)
        :: OURS(i, g) && !(pend[i] && p_has[2 * i + g] && COUNTS(i, g))
        :: !OURS(i, g) ->             /* stale, or never seen: restored */
            s_off[2 * i + g] = seen[g]; s_epoch[2 * i + g] = c_epoch[g]; s_log[2 * i + g] = c_alerts[g]; s_rules[2 * i + g] = c_rules[g]
        fi;
        off[g] = s_off[2 * i + g];
        assert(off[g] == c_off[g] && s_log[2 * i + g] == c_alerts[g] && s_rules[2 * i + g] == c_rules[g])
    fi;
    b_off[g] = off[g]; d_off[g] = off[g]
}
inline prepare_group(i, g) {
    p_has[2 * i + g] = mine[g]; p_off[2 * i + g] = off[g]; p_log[2 * i + g] = s_log[2 * i + g] + off[g] - b_off[g];
#ifdef NO_LOG_IN_PENDING              /* alerts are logged when they are made, not with the state that made them */
    s_log[2 * i + g] = p_log[2 * i + g];
#endif
    d_off[g] = b_off[g]; b_off[g] = off[g]     /* the epoch lies between them; what comes behind is the next one's */
}
inline send_group(i, g) {
    f_has[2 * i + g] = mine[g]; f_off[2 * i + g] = b_off[g];
#ifdef NO_HELD_OUTPUT                 /* what e+1 gives goes into the open transaction of e */
    f_alerts[2 * i + g] = off[g] - d_off[g]
#else
    f_alerts[2 * i + g] = b_off[g] - d_off[g]
#endif
}
inline die_or_not() { if :: crashes < CRASHES -> crashes++; goto start :: true fi }

active proctype network() {
    do
    :: atomic { seen[0] != high[0] -> seen[0] = high[0] }
    :: atomic { seen[1] != high[1] -> seen[1] = high[1] }
    :: atomic { fly[0] -> land(0) }
    :: atomic { fly[1] -> land(1) }
    :: atomic { fly[0] && refusals < REFUSALS -> refusals++; lose(0) }
    :: atomic { fly[1] && refusals < REFUSALS -> refusals++; lose(1) }
    od
}

proctype instance(byte i) {
    byte off[2], b_off[2], d_off[2];  /* worked up to; last barrier; the barrier before the epoch that is being decided */
    bool mine[2], deciding, prepared, saving, torn, mixed; /* torn: the store changed under a savepoint */
    byte epoch, gen, rules;
start:
    atomic {                          /* memory is lost */
        deciding = false; prepared = false; saving = false; mixed = false; torn = false; epoch = 0; gen = 0; rules = 0; answer[i] = 0;
        off[0] = 0; off[1] = 0; b_off[0] = 0; b_off[1] = 0; d_off[0] = 0; d_off[1] = 0; mine[0] = false; mine[1] = false;
        if
        :: owner[0] != i && moves < MOVES -> moves++; owner[0] = i; generation++
        :: owner[1] != i && moves < MOVES -> moves++; owner[1] = i; generation++
        :: owner[0] != i && owner[1] != i && moves + 1 < MOVES -> moves = moves + 2; owner[0] = i; owner[1] = i; generation++
        :: owner[0] == i || owner[1] == i
        fi;
        gen = generation
    };
#ifndef NO_INIT                       /* init_transactions: settles what is in flight of this transactional id, so that nothing lands behind our back */
    atomic {
        if :: fly[i] -> land(i) :: fly[i] -> lose(i) :: !fly[i] fi;
        answer[i] = 0
    };
#endif
    atomic {
        (owner[0] != i || (STABLE(i, 0) && (OURS(i, 0) || RESTORED(0)))) && (owner[1] != i || (STABLE(i, 1) && (OURS(i, 1) || RESTORED(1))));
        if :: gen != generation -> goto start :: else fi;
        settle_group(i, 0); settle_group(i, 1); drop_pending(i);
        epoch = (mine[0] && c_epoch[0] > epoch -> c_epoch[0] : epoch); epoch = (mine[1] && c_epoch[1] > epoch -> c_epoch[1] : epoch);
        rules = (mine[0] -> s_rules[A(i)] : s_rules[B(i)]);
        rules = (mine[1] && s_rules[B(i)] > rules -> s_rules[B(i)] : rules);
        die_or_not()                  /* what was pending has been applied or dropped */
    };
    do
    :: atomic { mine[0] && off[0] < EVENTS_A && off[0] < b_off[0] + 2 -> off[0]++ }
    :: atomic { mine[1] && off[1] < EVENTS_B && off[1] < b_off[1] + 2 -> off[1]++ }
    :: atomic { reloads == 0 && AT_BARRIER -> reloads++; mixed = (off[0] != b_off[0] || off[1] != b_off[1]); rules++ }
    :: atomic {                       /* barrier and prepare, synced */
        !deciding && !prepared && MAY_APPLY && (off[0] != b_off[0] || off[1] != b_off[1]) ->
        assert(!mixed); mixed = false;
        epoch++; prepared = true; pend[i] = true; p_epoch[i] = epoch; p_rules[i] = rules;
        prepare_group(i, 0); prepare_group(i, 1);
        die_or_not()
      }
    :: atomic {                       /* decide */
        prepared && !fly[i] ->
        prepared = false; deciding = true; answer[i] = 0; fly[i] = true; f_ok[i] = MEMBER(gen);
        f_epoch[i] = epoch; f_rules[i] = p_rules[i];
        send_group(i, 0); send_group(i, 1);
        die_or_not()
      }
    :: atomic { deciding && answer[i] == 1 ->
        answer[i] = 0;
        if :: crashes < CRASHES -> crashes++; goto start :: true fi;
        deciding = false; apply_group(i, 0); apply_group(i, 1); drop_pending(i); torn = saving;
        d_off[0] = b_off[0]; d_off[1] = b_off[1];
        die_or_not()
      }
    :: atomic { deciding && answer[i] == 2 ->
        answer[i] = 0;
#ifdef NO_DROP_BOTH                   /* e is refused, what e+1 has worked meanwhile is kept */
        deciding = false; drop_pending(i); d_off[0] = b_off[0]; d_off[1] = b_off[1]
#else
        goto start
#endif
      }
    :: atomic { saves == 0 && !saving && MAY_SAVE -> saves++; saving = true }
    :: atomic { saving -> assert(!torn); saving = false; torn = false }
    :: atomic { gen != generation && !deciding && !prepared -> goto start }      /* it may notice, and need not */
    od
}

init { atomic { run instance(0); run instance(1) } }
