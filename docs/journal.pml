/* Journal and image of docs/protocol.md as a Spin model: how the state comes back from the last image and the journals behind it. epoch.pml has what surrounds it, with a
 * state that is simply there once its epoch is applied; this one opens that up for a single instance and one shard.
 *
 * State is the number of events that were worked, a journal the number that one epoch took in. An epoch runs: work - barrier - prepare (its journal, and pending/e, synced) - decide
 * (Kafka) - apply (not synced; in some epochs with an image, and then journals up to it go). A process may be killed between any two steps, a commit may be refused, and a
 * machine that fails takes the last write that was not synced with it. Epochs that were never decided leave their number to others. Checked: what a start brings back is what
 * was decided, no event less and none twice, also when an old store knows of no image.
 *
 * spin -a journal.pml && cc -w -O2 -DSAFETY -o pan pan.c && ./pan -E -m2000000      finds no error.
 * Each of the switches NO_... leaves one fence out, and an error is found. tests/stages-long/70-model.sh runs them all. */
#define EVENTS 5
#define EPOCHS 5
#define CRASHES 3
#define REFUSALS 1

/* ---- Kafka ---- */
byte c_epoch, c_events;
/* ---- the store, and what it held before its last write that was not synced ---- */
byte img_epoch, img_state, pend, jr[6];
bool knows_image;
byte u_img_epoch, u_img_state, u_pend, u_jr[6];
bool u_knows_image, unsynced;

byte crashes, refusals;

inline remember() {
    u_img_epoch = img_epoch; u_img_state = img_state; u_pend = pend; u_knows_image = knows_image; unsynced = true;
    u_jr[1] = jr[1]; u_jr[2] = jr[2]; u_jr[3] = jr[3]; u_jr[4] = jr[4]; u_jr[5] = jr[5]
}
inline power_fails() {
    if
    :: unsynced ->
        img_epoch = u_img_epoch; img_state = u_img_state; pend = u_pend; knows_image = u_knows_image;
        jr[1] = u_jr[1]; jr[2] = u_jr[2]; jr[3] = u_jr[3]; jr[4] = u_jr[4]; jr[5] = u_jr[5]
    :: else
    fi
}
inline die_or_not() {
    if
    :: crashes < CRASHES -> crashes++; if :: power_fails() :: true fi; goto start
    :: true
    fi
}
inline forget(from, to) { k = from; do :: k <= to -> jr[k] = 0; k++ :: else -> break od; k = 0 }

active proctype instance() {
    byte state, base, epoch, k; /* base: worked up to the last barrier */
    bool image;
start:
    atomic {
        state = 0; k = 0; image = false;
        if
        :: pend != 0 && pend == c_epoch -> remember(); pend = 0      /* decided: applied, without an image */
        :: pend != 0 && pend != c_epoch -> remember(); pend = 0
        :: pend == 0
        fi;
#ifndef NO_FORGET                     /* what an epoch that was not decided has left would be taken for that of the next one with its number */
        forget(c_epoch + 1, EPOCHS);
#endif
#ifdef NO_FIRST_IMAGE                 /* a store that knows of no image is taken for one that is whole */
        if :: !knows_image -> img_epoch = c_epoch :: else fi;
#endif
        state = img_state; k = img_epoch + 1;
        do :: k <= c_epoch -> state = state + jr[k]; k++ :: else -> break od;
        k = 0; base = state; epoch = c_epoch;
        assert(state == c_events)
    };
    do
    :: atomic { state < EVENTS && state < base + 2 -> state++ }
    :: atomic {                       /* barrier, prepare: synced */
        state != base && epoch < EPOCHS ->
        epoch++; unsynced = false; pend = epoch;
#ifdef NO_FORGET
        jr[epoch] = jr[epoch] + state - base;
#else
        jr[epoch] = state - base;
#endif
        if :: image = true :: image = false fi;
#ifdef NO_IMAGE_BEHIND                /* the image is written with the preparation */
        if :: image -> img_epoch = epoch; img_state = state; knows_image = true; forget(1, epoch) :: else fi
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
        remember(); pend = 0;
        if
        :: image ->
            img_epoch = epoch; img_state = state; knows_image = true;
#ifdef NO_WHOLE_IMAGE                 /* journals go in a write of their own, in front of the image's */
            img_epoch = u_img_epoch; img_state = u_img_state; forget(1, epoch)
#else
            forget(1, epoch)
#endif
        :: else
        fi;
        base = state
      };
      atomic { die_or_not() };
#ifdef NO_WHOLE_IMAGE
      atomic { if :: image -> img_epoch = epoch; img_state = state :: else fi; image = false }
#else
      atomic { image = false }
#endif
    :: atomic { crashes < CRASHES -> crashes++; if :: power_fails() :: true fi; goto start }
    :: state == EVENTS && state == base -> break
    od
}
