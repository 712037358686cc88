/* Journal and image of docs/protocol.md as a Spin model: how the state comes back from the last image and the journals behind it. epoch.pml has what surrounds it, with a
 * state that is simply there once its epoch is applied; this one opens that up for a single instance and one shard.
 *
 * State is the number of events that were worked, a journal the number that one epoch took in. An epoch runs: work - barrier - its journal into a file, synced (or none: it is
 * in the store) - prepare (the journal or its file's name, and pending/e, synced) - decide (Kafka) - apply (not synced; in some epochs with a small image, and then journals
 * up to it go). A large image goes behind its epoch on a thread of its own, while others are worked: a file - synced - announced, with the end of the journals up to it, synced
 * - into its place, in two slices - done, synced - the file goes. A process may be killed between any two steps, a commit may be refused, and a machine that fails takes some
 * of the last writes that were not synced with it, and what is not synced of files. Epochs that were never decided leave their number to others. Checked: what a start brings
 * back is what was decided, no event less and none twice, also when an old store knows of no image, and whatever of an image had arrived.
 *
 * spin -a journal.pml && cc -w -O2 -DSAFETY -o pan pan.c && ./pan -E -m2000000      finds no error.
 * Each of the switches NO_... leaves one fence out, and an error is found. tests/stages-long/70-model.sh runs them all. */
#define EVENTS 5
#define EPOCHS 5
#define CRASHES 2
#define REFUSALS 1

/* ---- Kafka ---- */
byte c_epoch, c_events;
/* ---- the store, and what it held before some of its last writes that were not synced ---- */
byte img_epoch, place, img_file, pend, jr[6]; /* place: the state that stands in it; img_file: the image that is announced and not yet done */
bool knows_image, mixed;                      /* mixed: a part of place is of another image */
byte u_img_epoch, u_place, u_img_file, u_pend, u_jr[6];
bool u_knows_image, u_mixed, unsynced;
/* ---- files: of the image, of the last journal ---- */
byte f_epoch, f_state;
bool f_synced;
byte j_unsynced, j_lost;                      /* the epoch whose journal's file is not synced; is gone */
/* ---- memory of the thread that writes images ---- */
mtype = { RESTS, GOES, WRITTEN, SYNCED, ANNOUNCED, HALF, STANDS, DONE };
mtype phase = RESTS;
byte a_epoch, a_state;

byte crashes, refusals;

inline copy() {
    u_img_epoch = img_epoch; u_place = place; u_img_file = img_file; u_pend = pend; u_knows_image = knows_image; u_mixed = mixed;
    u_jr[1] = jr[1]; u_jr[2] = jr[2]; u_jr[3] = jr[3]; u_jr[4] = jr[4]; u_jr[5] = jr[5]
}
inline before_write() {               /* one that is not synced */
    if
    :: copy(); unsynced = true        /* what came before has gone out by itself */
    :: unsynced                       /* or not */
    fi
}
inline synced() {
    unsynced = false; u_img_epoch = 0; u_place = 0; u_img_file = 0; u_pend = 0; u_knows_image = false; u_mixed = false;
    u_jr[1] = 0; u_jr[2] = 0; u_jr[3] = 0; u_jr[4] = 0; u_jr[5] = 0
}
inline power_fails() {
    if
    :: unsynced ->
        img_epoch = u_img_epoch; place = u_place; img_file = u_img_file; pend = u_pend; knows_image = u_knows_image; mixed = u_mixed;
        jr[1] = u_jr[1]; jr[2] = u_jr[2]; jr[3] = u_jr[3]; jr[4] = u_jr[4]; jr[5] = u_jr[5]; synced()
    :: else
    fi;
    if :: j_unsynced != 0 -> j_lost = j_unsynced; j_unsynced = 0 :: else fi;
    if :: f_epoch != 0 && !f_synced -> f_state = 0 :: else fi
}
inline die() { crashes++; phase = RESTS; if :: power_fails() :: true fi; goto start }
inline die_or_not() {
    if
    :: crashes < CRASHES -> die()
    :: true
    fi
}
inline forget(from, to, k) { k = from; do :: k <= to -> jr[k] = 0; k++ :: else -> break od; k = 0 }

active proctype imager() {
    byte k;
    do
    :: atomic { phase == GOES -> f_epoch = a_epoch; f_state = a_state; f_synced = false; phase = WRITTEN }
    :: atomic { phase == WRITTEN ->
#ifndef NO_IMAGE_FILE_SYNC            /* it is announced before its file is durable */
        f_synced = true;
#endif
        phase = SYNCED }
#ifdef NO_ANNOUNCED_FIRST             /* it goes into its place at once */
    :: atomic { phase == SYNCED -> before_write(); mixed = true; phase = ANNOUNCED }
    :: atomic { phase == ANNOUNCED -> synced(); mixed = false; place = a_state; img_epoch = a_epoch; knows_image = true; forget(1, a_epoch, k); phase = STANDS }
#else
    :: atomic { phase == SYNCED -> synced(); img_epoch = a_epoch; img_file = a_epoch; knows_image = true; forget(1, a_epoch, k); phase = ANNOUNCED }
    :: atomic { phase == ANNOUNCED -> before_write(); mixed = true; phase = HALF }
    :: atomic { phase == HALF -> before_write(); mixed = false; place = a_state; phase = STANDS }
#endif
    :: atomic { phase == STANDS ->
#ifdef NO_SYNCED_END                  /* the file goes before it is durable that nobody needs it */
        before_write(); img_file = 0;
#else
        synced(); img_file = 0;
#endif
        phase = DONE }
    :: atomic { phase == DONE -> f_epoch = 0; f_state = 0; f_synced = false; a_epoch = 0; a_state = 0; phase = RESTS }
    od
}

active proctype instance() {
    byte state, base, epoch, k; /* base: worked up to the last barrier */
    byte image;                 /* 1: with the epoch; 2: behind it */
start:
    atomic {                          /* memory is lost; an image that was announced begins to go into its place again */
        state = 0; k = 0; image = 0; base = 0; epoch = 0; phase = RESTS; a_epoch = 0; a_state = 0;
#ifndef NO_REDO
        if :: img_file != 0 -> assert(f_epoch == img_file && f_state != 0); before_write(); mixed = true :: else fi
#endif
    };
    atomic { die_or_not() };
    atomic {
#ifndef NO_REDO
        if :: img_file != 0 -> synced(); place = f_state; mixed = false; img_file = 0 :: else fi;
#endif
        f_epoch = 0; f_state = 0; f_synced = false
    };
    atomic { die_or_not() };
    atomic {
        if
        :: pend != 0 -> before_write(); pend = 0      /* decided: applied, without an image; or not: dropped */
        :: pend == 0
        fi
    };
    atomic { die_or_not() };
    atomic {
#ifndef NO_FORGET                     /* what an epoch that was not decided has left would be taken for that of the next one with its number */
        forget(c_epoch + 1, EPOCHS, k);
#endif
#ifdef NO_FIRST_IMAGE                 /* a store that knows of no image is taken for one that is whole */
        if :: !knows_image -> img_epoch = c_epoch :: else fi;
#endif
        assert(!mixed);
        state = place; k = img_epoch + 1;
        do :: k <= c_epoch -> assert(jr[k] == 0 || j_lost != k); state = state + jr[k]; k++ :: else -> break od;
        k = 0; base = state; epoch = c_epoch;
        assert(state == c_events)
    };
    do
    :: atomic { state < EVENTS && state < base + 2 -> state++ }
    :: atomic {                       /* barrier; the journal into a file, or not */
        state != base && epoch < EPOCHS ->
        epoch++;
        if :: j_lost == epoch -> j_lost = 0 :: else fi;
        if :: j_unsynced = epoch :: true fi
      };
      atomic { die_or_not() };
#ifndef NO_JOURNAL_FILE_SYNC          /* it is named before it is durable */
      j_unsynced = 0;
      atomic { die_or_not() };
#endif
      atomic {                        /* prepare: synced */
#ifdef NO_PREPARE_SYNC
        before_write();
#else
        synced();
#endif
        pend = epoch;
#ifdef NO_FORGET
        jr[epoch] = jr[epoch] + state - base;
#else
        jr[epoch] = state - base;
#endif
        if
        :: image = 0
#ifdef NO_REST                        /* one does not wait for the one before */
        :: image = 1
        :: image = 2
#else
        :: phase == RESTS -> image = 1
        :: phase == RESTS -> image = 2
#endif
        fi;
#ifdef NO_IMAGE_BEHIND                /* the image is written with the preparation */
        if :: image == 1 -> img_epoch = epoch; place = state; knows_image = true; forget(1, epoch, k) :: else fi
#endif
      };
      atomic { die_or_not() };
      atomic {                        /* decide: committed, refused, or nobody was left to hear it */
        if
        :: c_epoch = epoch; c_events = state
        :: refusals < REFUSALS -> refusals++; goto start
        fi;
        die_or_not()
      };
      atomic {                        /* apply */
        before_write(); pend = 0;
        if
        :: image == 1 ->
            img_epoch = epoch; place = state; knows_image = true;
#ifdef NO_WHOLE_IMAGE                 /* journals go in a write of their own, in front of the image's */
            img_epoch = u_img_epoch; place = u_place; forget(1, epoch, k)
#else
            forget(1, epoch, k)
#endif
        :: else
        fi;
        base = state
      };
      atomic { die_or_not() };
      atomic {
#ifdef NO_WHOLE_IMAGE
        if :: image == 1 -> img_epoch = epoch; place = state :: else fi;
#endif
        if :: image == 2 -> a_epoch = epoch; a_state = state; phase = GOES :: else fi;
        image = 0
      }
    :: atomic { crashes < CRASHES -> die() }
    :: state == EVENTS && state == base -> break
    od
}
